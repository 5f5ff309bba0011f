-- Renew the leases of the jobs in hand, and learn which are lost.
-- KEYS: 1 queue
-- ARGV: 1 owner  2 lease in ms  3 arq's prefix of in-progress keys  4.. job ids
-- Returns {lost job id, ...}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost = {}

for i = 4, #ARGV do
  local job = ARGV[i]
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
end
return lost
