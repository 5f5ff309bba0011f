-- Open a batch, or find the one that the producer's key already belongs to. Its runs are submitted next.
-- KEYS: 1 batch  2 batches  3 key of the producer, or ''
-- ARGV: 1 batch id  2 retention in ms  3 prefix of a batch's key  4.. fields and values of the record
-- Returns the id of the batch.
local known = KEYS[3] ~= '' and redis.call('GET', KEYS[3])
if known and redis.call('TYPE', ARGV[3] .. known).ok == 'hash' then return known end -- else its record was lost
if redis.call('EXISTS', KEYS[1]) == 1 then return ARGV[1] end -- asked again, the answer was lost

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'created_at', now, 'open', 0, unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], now, ARGV[1])
-- Until it has runs, it has a lifetime: its producer may have died.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if KEYS[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2]) end
return ARGV[1]
