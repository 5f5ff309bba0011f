-- Note that somebody wants the run cancelled, and bring the moment forward at which it is next looked at.
-- KEYS: 1 run  2 watch  3 queue  4 bell  5 arq's set of aborts
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

-- Parked: the watcher takes it next. Waiting in the queue: its job is due now. In hand: its worker
-- hears the bell, or finds the job in the set of aborts; no clock makes that wish look older than the job it is for.
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then redis.call('ZADD', KEYS[2], now, ARGV[1]) end
if job then
  if redis.call('EXISTS', 'arq:in-progress:' .. job) == 1 then
    local readable, payload = pcall(cjson.decode, redis.call('GET', 'arq:job:' .. job) or '')
    redis.call('ZADD', KEYS[5], math.max(now, readable and tonumber(payload.et) or 0), job)
  elseif redis.call('ZSCORE', KEYS[3], job) then
    redis.call('ZADD', KEYS[3], now, job)
  end
  redis.pcall('PUBLISH', KEYS[4], 'cancel:' .. job)
  redis.pcall('PUBLISH', KEYS[4], 'job')
end
return {'asked', job or ''}
