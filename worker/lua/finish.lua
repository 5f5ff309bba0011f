-- End a job that is no stage's as arq does, but only for its owner. The jobs of runs end in jobs/lua/move.lua.
-- KEYS: 1 queue  2 in-progress  3 retry count  4 job  5 result  6 arq's set of aborts
-- ARGV: 1 owner  2 job id  3 result, or ''  4 life of the result in ms, 0 for ever  5 'finish' or 'retry'
--       6 delay of the retry in ms  7 keep the in-progress mark for so many ms, or -1
-- Returns 1, or 0 where another worker has the job.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local keep = tonumber(ARGV[7])
if keep < 0 then redis.call('DEL', KEYS[2]) else redis.call('PEXPIRE', KEYS[2], keep) end

if ARGV[5] == 'retry' then
  local time = redis.call('TIME')
  local due = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[6])
  redis.call('ZADD', KEYS[1], due, ARGV[2])
  return 1
end
-- Without its payload the job has ended before: arq's abort put its id back into the queue as it did. Its result stays.
local is_first_end = redis.call('EXISTS', KEYS[4]) == 1 or redis.call('EXISTS', KEYS[5]) == 0
if ARGV[3] ~= '' and is_first_end then
  if ARGV[4] == '0' then redis.call('SET', KEYS[5], ARGV[3]) else redis.call('SET', KEYS[5], ARGV[3], 'PX', ARGV[4]) end
end
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[6], ARGV[2])
return 1
