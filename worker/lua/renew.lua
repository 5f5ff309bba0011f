-- Renew the leases of the jobs in hand, and learn which are lost.
-- KEYS: 1 queue
-- ARGV: 1 owner  2 lease in ms  3 arq's prefix of in-progress keys  4.. job ids, at least one
-- Returns {lost job id, ...}.
local time = redis.call('TIME')
local lease_end = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2])

local jobs, marks = {}, {}
for i = 4, #ARGV do
  jobs[#jobs + 1] = ARGV[i]
  marks[#marks + 1] = ARGV[3] .. ARGV[i]
end
local holders = redis.call('MGET', unpack(marks))
local scores = redis.call('ZMSCORE', KEYS[1], unpack(jobs))

local lost, renewed = {}, {}
for i, job in ipairs(jobs) do
  if scores[i] and (not holders[i] or holders[i] == ARGV[1]) then
    -- A lease that ran out while Redis was away, and that nobody took, is taken up again.
    redis.call('SET', marks[i], ARGV[1], 'PX', ARGV[2])
    renewed[#renewed + 1] = lease_end
    renewed[#renewed + 1] = job
  else
    lost[#lost + 1] = job
  end
end
if #renewed > 0 then redis.call('ZADD', KEYS[1], unpack(renewed)) end
return lost
