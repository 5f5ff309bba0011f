-- What the scripts that move runs share: a batch counts its runs by state, in the script that moves the run, so that the
-- counts are exact. Put before the text of those scripts.

-- A batch and all that is its own.
local function keys_of_batch(batch, runs)
  return {batch, runs, redis.call('HGET', batch, 'key_name') or nil}
end

-- A batch without unfinished runs has a lifetime from here on. One that was submitted to its end has ended.
-- job: {queue, bell, prefix of a job's key, its life in ms, payload of the job that tells the producer}
local function settle_batch(batch, runs, now, retention_ms, job)
  for _, name in ipairs(keys_of_batch(batch, runs)) do redis.call('PEXPIRE', name, retention_ms) end
  local submitted_at, ended_at, url, id = unpack(redis.call('HMGET', batch, 'submitted_at', 'ended_at', 'callback_url',
                                                            'batch_id'))
  if not submitted_at or ended_at then return end
  redis.call('HSET', batch, 'ended_at', now)
  if not url then return end
  -- It can end more than once, as a run that is retried does: each time is a job of its own.
  local job_id = 'callback:' .. id .. ':' .. redis.call('HINCRBY', batch, 'endings', 1)
  redis.call('PSETEX', job.prefix .. job_id, job.ms, job.payload)
  redis.call('ZADD', job.queue, now, job_id)
  redis.pcall('PUBLISH', job.bell, 'job')
end

-- Runs have come to a batch, or one of its runs goes on that had ended.
local function reopen_batch(batch, runs)
  redis.call('HDEL', batch, 'ended_at')
  for _, name in ipairs(keys_of_batch(batch, runs)) do redis.call('PERSIST', name) end
end

-- One run of a batch has moved. A batch that is damaged, or gone, must not keep its runs from moving.
-- batch: {key, runs = its members, job = see settle_batch, where the run may have ended}
local function count_move(batch, from, to, was_final, is_final, now, retention_ms)
  pcall(function()
    if redis.call('EXISTS', batch.key) == 0 then return end
    if from ~= to then
      redis.call('HINCRBY', batch.key, from, -1)
      redis.call('HINCRBY', batch.key, to, 1)
    end
    if was_final == is_final then return end
    local open = redis.call('HINCRBY', batch.key, 'open', is_final and -1 or 1)
    if is_final and open <= 0 then settle_batch(batch.key, batch.runs, now, retention_ms, batch.job) end
    if not is_final and open == 1 then reopen_batch(batch.key, batch.runs) end
  end)
end
