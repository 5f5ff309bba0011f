-- A turn's request has departed, or will never: only then does what follows it know its distance.
-- KEYS: 1 departures (zset: turn by time)  2 pending turns (zset: turn by time)
-- ARGV: 1 turn  2 'departed' or 'unused'  3 life of the keys in ms
-- Returns 1, or 0 where the turn is not pending any more.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
if ARGV[2] == 'departed' then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[1], time[1] * 1000000 + time[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
