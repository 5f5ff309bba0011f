-- Which of these runs nobody will ever take up: unfinished, with neither a job in the queue nor a place among the parked.
-- KEYS: 1 watch  2 queue
-- ARGV: 1 prefix of a run's key  2.. run ids
-- Returns the ids of the lost ones.
local lost = {}
for i = 2, #ARGV do
  local job = redis.call('HGET', ARGV[1] .. ARGV[i], 'job_id')
  local kept
  if job then
    kept = redis.call('ZSCORE', KEYS[2], job)
  else
    kept = redis.call('ZSCORE', KEYS[1], ARGV[i]) or redis.call('EXISTS', ARGV[1] .. ARGV[i]) == 0
  end
  if not kept then lost[#lost + 1] = ARGV[i] end
end
return lost
