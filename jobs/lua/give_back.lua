-- Take an order out of a day's count: it is certain that it was not placed. Harmless to repeat.
-- KEYS: 1 the day's sums  2 the orders counted
-- ARGV: 1 what tells this order from all others  2 JSON list of {name, amount}
if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then return end
for _, counter in ipairs(cjson.decode(ARGV[2])) do
  redis.call('HINCRBYFLOAT', KEYS[1], counter.name, -counter.amount)
end
