-- Add what a worker has counted to the sums of the fleet, once however often it is handed over.
-- KEYS: 1 the sums  2 the worker's report, which remembers its last parcel
-- ARGV: 1 the parcel's number, told from those of all others  2 first part of the names of which the latest is kept
--       3.. pairs: name, number
-- Returns 1, or 0 where this parcel was counted before.
if redis.call('HGET', KEYS[2], 'tallied') == ARGV[1] then return 0 end
local names = {}
for i = 3, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local sums = redis.call('HMGET', KEYS[1], unpack(names))
local set = {}
for i, name in ipairs(names) do
  local sum, more = tonumber(sums[i] or '0') or 0, tonumber(ARGV[2 * i + 2])
  set[#set + 1] = name
  set[#set + 1] = string.format('%.0f', string.sub(name, 1, #ARGV[2]) == ARGV[2] and math.max(sum, more) or sum + more)
end
redis.call('HSET', KEYS[1], unpack(set))
redis.call('HSET', KEYS[2], 'tallied', ARGV[1])
return 1
