-- Take or keep a duty that only one in the fleet may have.
-- KEYS: 1 lease
-- ARGV: 1 owner  2 lease in ms
-- Returns 1 for its holder, else 0.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
