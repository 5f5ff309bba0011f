-- All requests of a batch have been submitted, perhaps once more: it ends when its runs have. Behind batch.lua.
-- KEYS: 1 batch  2 its runs
-- ARGV: 1 retention in ms  2 JSON of the job that tells the producer, see batch.lua  3.. fields and values of the record
-- Returns 1, or 0 where there is no such batch.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSETNX', KEYS[1], 'submitted_at', now)
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
if tonumber(redis.call('HGET', KEYS[1], 'open')) <= 0 then
  settle_batch(KEYS[1], KEYS[2], now, ARGV[1], cjson.decode(ARGV[2]))
end
return 1
