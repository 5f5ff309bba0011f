-- Ask for a turn: the right to send one request of one kind, as one of a fleet.
-- A turn is pending from the moment it is given until its request departs (departed.lua). As long as it is, it counts
-- as departing right now, so that a late request cannot come too close to the ones that follow it.
-- KEYS: 1 departures (zset: turn by time)  2 pending turns (zset: turn by time)  3 waiters (zset: owner by place)
--       4 until when each waiter counts (hash)  5 the state: turn, paused_until, pace, refused_at (hash)
--       6 the fleet's workers (zset: name by last sign in ms)
-- ARGV: 1 owner  2 µs by which its place in the line is before now: how long it has waited, and how urgent it is
--       3 µs: how far ahead turns are given  4 µs after which a turn that nobody used counts as used
--       5 life of the keys in ms, beside the wait  6.. pairs: requests, period in µs
-- Returns {turn, or 0, µs to wait before using it, or before it can be given, workers that gave a sign of late}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owner, ahead = ARGV[1], tonumber(ARGV[3])

-- Turns that nobody used: their processes died.
for _, lost in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])) do
  redis.call('ZREM', KEYS[2], lost)
  redis.call('ZADD', KEYS[1], now, lost)
end

-- The line: who asked first goes first, less urgency. Waiters that did not come back in time are gone.
redis.call('ZADD', KEYS[3], now - ARGV[2], owner)
local before = 0
for _, other in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if other == owner then break end
  if tonumber(redis.call('HGET', KEYS[4], other) or '0') < now then
    redis.call('ZREM', KEYS[3], other)
    redis.call('HDEL', KEYS[4], other)
  else
    before = before + 1
  end
end

-- After a refusal the pace is lower; each second after it gives a twentieth of the whole back.
local state = redis.call('HMGET', KEYS[5], 'paused_until', 'pace', 'refused_at')
local pace = tonumber(state[2] or '1')
if pace < 1 then pace = math.min(1, pace + (now - state[3]) / 1000000 * 0.05) end

-- A window of so many requests opens when the earliest of the last so many leaves it.
local opens, most = tonumber(state[1] or '0'), 0
local ahead_of_me = redis.call('ZCARD', KEYS[2]) + before
for i = 6, #ARGV, 2 do
  local requests, period = tonumber(ARGV[i]), ARGV[i + 1] / pace
  local rank = requests - ahead_of_me - 1
  if rank < 0 then
    opens = math.max(opens, now + period * math.floor(ahead_of_me / requests))
  else
    local departed = redis.call('ZREVRANGE', KEYS[1], rank, rank, 'WITHSCORES')
    if departed[2] then opens = math.max(opens, departed[2] + period) end
  end
  most = math.max(most, requests)
end
local wait = math.max(0, opens - now)

local turn = 0
if before == 0 and wait <= ahead then
  turn = redis.call('HINCRBY', KEYS[5], 'turn', 1)
  redis.call('ZADD', KEYS[2], now + wait, turn)
  redis.call('ZREM', KEYS[3], owner)
  redis.call('HDEL', KEYS[4], owner)
else
  -- It asks again within a second, and may be half of one late.
  redis.call('HSET', KEYS[4], owner, now + math.min(wait, 1000000) + 500000)
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -most - 1)
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], math.ceil(wait / 1000) + ARGV[5]) end
return {turn, math.ceil(wait), redis.call('ZCOUNT', KEYS[6], now / 1000 - 60000, '+inf')}
