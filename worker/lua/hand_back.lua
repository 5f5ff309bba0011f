-- Give a job back unfinished, so that another worker starts it at once. Costs no try. Fenced by the owner.
-- KEYS: 1 queue  2 in-progress  3 retry count  4 run, or ''  5 bell
-- ARGV: 1 owner  2 job id  3 delay in ms
-- Returns 1, or 0 where another worker has the job.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[3]), ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('DECR', KEYS[3]) end
if KEYS[4] ~= '' and redis.call('HGET', KEYS[4], 'job_id') == ARGV[2] then
  for _, count in ipairs({'vain_starts', 'tries'}) do
    if tonumber(redis.call('HGET', KEYS[4], count) or '0') > 0 then redis.call('HINCRBY', KEYS[4], count, -1) end
  end
end
if tonumber(ARGV[3]) == 0 then redis.call('PUBLISH', KEYS[5], 'job') end
return 1
