-- Look at parked runs later, but for those that somebody has made due since they were read: a hint, a wish to cancel.
-- KEYS: 1 watch
-- ARGV: for each run three: its id, when it was due as it was read, when it is due from here on
for i = 1, #ARGV, 3 do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if due and tonumber(due) == tonumber(ARGV[i + 1]) then redis.call('ZADD', KEYS[1], ARGV[i + 2], ARGV[i]) end
end
return #ARGV / 3
