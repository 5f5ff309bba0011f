-- Note that somebody wants the run cancelled, and bring the moment forward at which it is next looked at.
-- KEYS: 1 run  2 watch  3 queue  4 bell
-- ARGV: 1 run id  2.. final states
-- Returns {'asked', job id or ''}, {'final', state} or {'unknown'}.
local state, job = unpack(redis.call('HMGET', KEYS[1], 'state', 'job_id'))
if not state then return {'unknown'} end
for i = 2, #ARGV do
  if state == ARGV[i] then return {'final', state} end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'cancel_requested', '1')

-- Parked: the watcher takes it next. Waiting in the queue: its job is due now. In hand: its worker hears the bell.
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then redis.call('ZADD', KEYS[2], now, ARGV[1]) end
if job then
  local in_hand = redis.call('EXISTS', 'arq:in-progress:' .. job) == 1
  if not in_hand and redis.call('ZSCORE', KEYS[3], job) then redis.call('ZADD', KEYS[3], now, job) end
  redis.call('PUBLISH', KEYS[4], 'cancel:' .. job)
  redis.call('PUBLISH', KEYS[4], 'job')
end
return {'asked', job or ''}
