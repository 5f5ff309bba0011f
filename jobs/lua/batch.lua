-- What the scripts that move runs share: a batch counts its runs by state, in the script that moves the run, so that the
-- counts are exact. Put before the text of those scripts.

-- A batch without unfinished runs has a lifetime from here on. One that was submitted to its end has ended.
-- job: {queue, bell, prefix of a job's key, its life in ms, payload of the job that tells the producer}
local function settle_batch(batch, runs, now, retention_ms, job)
  local key, submitted_at, ended_at, url, id = unpack(redis.call('HMGET', batch, 'key_name', 'submitted_at', 'ended_at',
                                                                 'callback_url', 'batch_id'))
  for _, name in ipairs({batch, runs, key or nil}) do redis.call('PEXPIRE', name, retention_ms) end
  if not submitted_at or ended_at then return end
  redis.call('HSET', batch, 'ended_at', now)
  if not url then return end
  -- It can end more than once, as a run that is retried does: each time is a job of its own.
  local job_id = 'callback:' .. id .. ':' .. redis.call('HINCRBY', batch, 'endings', 1)
  redis.call('PSETEX', job.prefix .. job_id, job.ms, job.payload)
  redis.call('ZADD', job.queue, now, job_id)
  redis.pcall('PUBLISH', job.bell, 'job')
end

-- One run of a batch has moved. Returns true where it was the last unfinished one and has ended.
local function count_move(batch, runs, from, to, was_final, is_final)
  if redis.call('EXISTS', batch) == 0 then return false end
  if from ~= to then
    redis.call('HINCRBY', batch, from, -1)
    redis.call('HINCRBY', batch, to, 1)
  end
  if was_final == is_final then return false end
  local open = redis.call('HINCRBY', batch, 'open', is_final and -1 or 1)
  if not is_final and open == 1 then
    redis.call('HDEL', batch, 'ended_at')
    for _, name in ipairs({batch, runs, redis.call('HGET', batch, 'key_name') or nil}) do
      redis.call('PERSIST', name)
    end
  end
  return open == 0
end
