-- Which of these runs nobody will ever take up: unfinished, with neither a job in the queue nor a place among the parked.
-- One in line whose deadline has come is made due, so that it is begun, and ended.
-- KEYS: 1 watch  2 queue
-- ARGV: 1 prefix of a run's key  2.. run ids
-- Returns the ids of the lost ones.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost = {}
for i = 2, #ARGV do
  local fields = redis.pcall('HMGET', ARGV[1] .. ARGV[i], 'state', 'job_id', 'finished_at', 'deadline_at')
  local state, job, finished_at, deadline_at = unpack(fields)
  local kept
  if fields.err then
    kept = true -- a key of another type: no job could mend that, and it must not hide the others
  elseif job then
    kept = redis.call('ZSCORE', KEYS[2], job)
    if kept and tonumber(kept) < 0 and tonumber(deadline_at or now) < now then redis.call('ZADD', KEYS[2], now, job) end
  else
    -- It may have ended, or be gone, since its id was read from an index.
    kept = finished_at or not state or redis.call('ZSCORE', KEYS[1], ARGV[i])
  end
  if not kept then lost[#lost + 1] = ARGV[i] end
end
return lost
