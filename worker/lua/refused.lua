-- The server refused a request as one too many: everybody pauses, and goes on more slowly.
-- KEYS: 1 the state: last turn, paused_until, pace, refused_at (hash)
-- ARGV: 1 pause in µs  2 the lowest pace  3 life of the key in ms, beside the pause
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[1], 'paused_until', 'pace', 'refused_at')
local pace, refused_at = tonumber(state[2] or '1'), tonumber(state[3] or '0')

-- Refusals of one moment are one: the requests were on their way together.
if now - refused_at > 1000000 then
  pace = math.min(1, pace + (now - refused_at) / 1000000 * 0.05) -- as in take_turn.lua
  pace = math.max(tonumber(ARGV[2]), pace * 0.8)
  redis.call('HSET', KEYS[1], 'pace', pace, 'refused_at', now)
end
local paused_until = math.max(tonumber(state[1] or '0'), now + ARGV[1])
redis.call('HSET', KEYS[1], 'paused_until', string.format('%.0f', paused_until))
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[1] / 1000) + ARGV[3])
