-- Give a job back unfinished: another worker, or this one, starts it again. Fenced by the owner.
-- KEYS: 1 queue  2 in-progress  3 retry count  4 run, or ''  5 bell
-- ARGV: 1 owner  2 job id  3 delay in ms  4 'charged' if that costs the job a try, or 'free'
-- Returns 1, or 0 where another worker has the job.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local delay = tonumber(ARGV[3])

redis.call('DEL', KEYS[2])
local score = now + delay
if KEYS[4] ~= '' and delay == 0 then
  -- A queued run has not begun: it goes back to the head of the line.
  local state, priority = unpack(redis.call('HMGET', KEYS[4], 'state', 'priority'))
  if state == 'queued' then score = rank_at_head(KEYS[1], priority) end
end
redis.call('ZADD', KEYS[1], 'XX', score, ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 1 then
  if ARGV[4] == 'free' then redis.call('DECR', KEYS[3]) end
  redis.call('PEXPIRE', KEYS[3], delay + 88400000) -- the count outlives the delay; from its end on, as long as arq has it
end
if KEYS[4] ~= '' and redis.call('HGET', KEYS[4], 'job_id') == ARGV[2] then
  for _, count in ipairs({'vain_starts', 'tries'}) do
    if tonumber(redis.call('HGET', KEYS[4], count) or '0') > 0 then redis.call('HINCRBY', KEYS[4], count, -1) end
  end
end
if delay == 0 then redis.pcall('PUBLISH', KEYS[5], 'job') end
return 1
