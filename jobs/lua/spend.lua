-- Count an order among those of this day (UTC, the server's clock), unless that would break a cap. An order that was
-- counted today is not counted again.
-- ARGV: 1 JSON {spent, counted = prefixes of keys, order = what tells this order from all others, dry = only look,
--       counters = list of {name, amount, cap (absent: none)}}
-- Returns {'counted', day} or {'over', number of the first counter whose cap it would break, what that counter has}.
local what = cjson.decode(ARGV[1])
local day = math.floor(redis.call('TIME')[1] / 86400)
local spent, counted = what.spent .. day, what.counted .. day
if redis.call('SISMEMBER', counted, what.order) == 1 then return {'counted', day} end

for number, counter in ipairs(what.counters) do
  local used = redis.call('HGET', spent, counter.name) or '0'
  if counter.cap and used + counter.amount > counter.cap then return {'over', number, used} end
end
if what.dry then return {'counted', day} end

for _, counter in ipairs(what.counters) do redis.call('HINCRBYFLOAT', spent, counter.name, counter.amount) end
redis.call('SADD', counted, what.order)
for _, key in ipairs({spent, counted}) do redis.call('EXPIRE', key, 2 * 86400) end
return {'counted', day}
