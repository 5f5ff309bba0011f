-- Keep the places that a process holds; those that it does not keep are given to others.
-- KEYS: 1 pending turns (zset: turn by time)  2 the state (hash), which counts turns
-- ARGV: 1 life of the keys in ms  2.. turns, which are places here
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i]) end -- not one that was given back meanwhile
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
