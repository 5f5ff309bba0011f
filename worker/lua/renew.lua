-- Renew the leases of the jobs in hand, and learn which are lost and which are to be given up.
-- KEYS: 1 queue  2 arq's set of aborts
-- ARGV: 1 owner  2 lease in ms  3 arq's prefix of in-progress keys  4.. pairs: job id, key of its run or ''
-- Returns {{lost job id, ...}, {job id to give up, ...}}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost, unwanted = {}, {}

for i = 4, #ARGV, 2 do
  local job, run = ARGV[i], ARGV[i + 1]
  local mark = ARGV[3] .. job
  local holder = redis.call('GET', mark)
  local queued = redis.call('ZSCORE', KEYS[1], job)
  if queued and (not holder or holder == ARGV[1]) then
    -- A lease that ran out while Redis was away, and that nobody took, is taken up again.
    redis.call('SET', mark, ARGV[1], 'PX', ARGV[2])
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), job)
  else
    lost[#lost + 1] = job
  end
  if redis.call('ZSCORE', KEYS[2], job) or (run ~= '' and redis.call('HEXISTS', run, 'cancel_requested') == 1) then
    unwanted[#unwanted + 1] = job
  end
end
return {lost, unwanted}
