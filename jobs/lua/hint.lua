-- Make a parked run due now, because its order is said to have changed at Planet, and tell the watcher.
-- KEYS: 1 order index  2 watch  3 the watcher's bell
-- Returns 1, or 0 where the order belongs to no parked run.
local run_id = redis.call('GET', KEYS[1])
if not run_id or not redis.call('ZSCORE', KEYS[2], run_id) then return 0 end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'LT', time[1] * 1000 + math.floor(time[2] / 1000), run_id)
redis.pcall('PUBLISH', KEYS[3], run_id) -- which an ACL may forbid; the watcher finds what is due
return 1
