-- Claim as many due jobs as there are free slots: for each, write the owner into arq's in-progress key and move the
-- job's score to the end of its lease, so that running jobs leave the head of the queue.
-- KEYS: 1 queue  2 arq's set of aborts
-- ARGV: 1 owner  2 slots, 1,000 at most  3 lease in ms  4 arq's prefix of in-progress keys
-- Returns {whether there are aborts to be looked at before anything is started, job id, score, job id, score, ...}, the
-- score being when the job was due.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease_end = now + tonumber(ARGV[3])

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local moved = {}
local claimed = {#due > 0 and redis.call('EXISTS', KEYS[2]) or 0}
for i = 1, #due, 2 do
  local job = due[i]
  if redis.call('SET', ARGV[4] .. job, ARGV[1], 'NX', 'PX', ARGV[3]) then
    claimed[#claimed + 1] = job
    claimed[#claimed + 1] = due[i + 1]
    moved[#moved + 1] = lease_end
  else
    -- Another worker has it, perhaps one of plain arq, which leaves the score alone: look again when its mark ends.
    local left = redis.call('PTTL', ARGV[4] .. job)
    moved[#moved + 1] = now + math.max(left, 1000)
  end
  moved[#moved + 1] = job
end
if #moved > 0 then redis.call('ZADD', KEYS[1], unpack(moved)) end
return claimed
