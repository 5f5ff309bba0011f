-- End a job that is no stage's as arq does, but only for its owner. The jobs of runs end in jobs/lua/move.lua.
-- KEYS: 1 queue  2 in-progress  3 retry count  4 job  5 result  6 arq's set of aborts, or ''
-- ARGV: 1 owner  2 job id  3 result, or ''  4 life of the result in ms, 0 for ever  5 keep the in-progress mark for so
--       many ms, or -1
-- Returns 1, or 0 where another worker has the job.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local gone
if tonumber(ARGV[5]) < 0 then
  gone = redis.call('DEL', KEYS[3], KEYS[4], KEYS[2]) - 1
else
  -- A mark that stays is nobody's: whoever asks again after a lost answer must not end a later job of the same id.
  redis.call('SET', KEYS[2], 'ended', 'PX', ARGV[5])
  gone = redis.call('DEL', KEYS[3], KEYS[4])
end
-- Without its payload the job has ended before: arq's abort put its id back into the queue as it did. Its result stays.
local is_first_end = gone == 2 or redis.call('EXISTS', KEYS[5]) == 0
if ARGV[3] ~= '' and is_first_end then
  if ARGV[4] == '0' then redis.call('SET', KEYS[5], ARGV[3]) else redis.call('SET', KEYS[5], ARGV[3], 'PX', ARGV[4]) end
end
redis.call('ZREM', KEYS[1], ARGV[2])
if KEYS[6] ~= '' then redis.call('ZREM', KEYS[6], ARGV[2]) end
return 1
