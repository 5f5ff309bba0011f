-- Write new runs and enqueue their create jobs, or find the runs that the producers' keys already belong to, or that
-- have ordered the very same. Behind batch.lua and line.lua.
-- KEYS: 1 runs  2 runs in their state  3 events  4 queue  5 bell  6 server  7 flows in line
-- ARGV: 1 JSON {run, history, job, same, batch, batch_runs = prefixes of keys, job_ms = job's life, same_ms = how long after
--       a run's end the same request is that run, dry = answer, but write nothing}  2.. for each run two: JSON {id, job_id, payload, fingerprint, key = the
--       producer key or '', flow, once = not if a run has the same request, place = in its batch, more = how many of those behind
--       it are further parts of its request, fields = {name = text}} and its request
-- Returns for each request 'created', 'known', 'reused' (the key's run has another request) or 'bought' (another
-- run has the same request), and the id of the run, of several parts that of the first: they are written together, or none
-- is.
local shared = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local line = cjson.encode({at = now, state = 'queued', stage = 'create', reason = 'submitted'})
local answers, joined = {}, {}
local rank, save_ranks = line_up(KEYS[4], KEYS[7])
local by_time, in_line = {}, {} -- of the new runs: pairs of score and member

local function write(run, request)
  if run.key ~= '' then redis.call('SET', run.key, run.id) end
  redis.call('SET', shared.same .. run.fingerprint, run.id, 'PX', shared.job_ms)
  local fields = {'request', request, 'fingerprint', run.fingerprint, 'job_id', run.job_id, 'created_at', now,
                  'updated_at', now}
  for name, text in pairs(run.fields) do
    fields[#fields + 1] = name
    fields[#fields + 1] = text
  end
  redis.call('HSET', shared.run .. run.id, unpack(fields))
  redis.call('RPUSH', shared.history .. run.id, line)
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'run_id', run.id, 'state', 'queued', 'stage', 'create',
             'reason', 'submitted', 'at', now)
  redis.call('PSETEX', shared.job .. run.job_id, shared.job_ms, run.payload)
  by_time[#by_time + 1] = now
  by_time[#by_time + 1] = run.id
  in_line[#in_line + 1] = rank(run.fields.priority, run.flow)
  in_line[#in_line + 1] = run.job_id
  local batch = run.fields.batch_id
  if batch and redis.call('EXISTS', shared.batch .. batch) == 1 then
    redis.pcall('ZADD', shared.batch_runs .. batch, run.place, run.id)
    joined[batch] = (joined[batch] or 0) + 1
  end
end

-- Whether a run has ordered, or is about to: not one that ended without an order, or longer than same_ms ago.
local function has_bought(id)
  local record = redis.pcall('HMGET', shared.run .. id, 'state', 'finished_at', 'intent_at', 'order_id', 'order_state')
  if record.err then return true end -- it cannot be read: better not ordered than ordered twice
  local state, finished_at, intent_at, order_id, order_state = unpack(record)
  if not state or finished_at and now - finished_at >= shared.same_ms then return false end
  local has_files = state == 'done' or state == 'partial'
  -- A run that failed later, or whose POST got no reply, has an order that is billed: a retry brings its files.
  local is_billed = (order_id or intent_at) and order_state ~= 'failed' and order_state ~= 'cancelled'
  return not finished_at or has_files or is_billed
end

-- The run that has ordered the same, or of whose parts one has.
local function find_same(fingerprint)
  local id = redis.call('GET', shared.same .. fingerprint)
  if not id then return nil end
  if has_bought(id) then return id end
  local parts = redis.call('HGET', shared.run .. id, 'part_ids')
  for _, part in ipairs(parts and cjson.decode(parts) or {}) do
    if has_bought(part) then return id end
  end
  return nil
end

local function take_all()
  local i = 2
  while i < #ARGV do
    local run = cjson.decode(ARGV[i])
    local answer, id = 'created', run.id
    local known = run.key ~= '' and redis.call('GET', run.key)
    local theirs = known and redis.call('HGET', shared.run .. known, 'fingerprint')
    if redis.call('EXISTS', shared.run .. run.id) == 1 then
      known = nil -- asked again, the answer was lost
    elseif theirs then
      answer, id = theirs == run.fingerprint and 'known' or 'reused', known
    else
      local same = run.once and shared.same_ms > 0 and find_same(run.fingerprint)
      if same then
        answer, id = 'bought', same
      elseif not shared.dry then
        write(run, ARGV[i + 1])
        for part = i + 2, i + 2 * run.more, 2 do write(cjson.decode(ARGV[part]), ARGV[part + 1]) end
      end
    end
    answers[#answers + 1] = answer
    answers[#answers + 1] = id
    i = i + 2 + 2 * run.more
  end
end

-- What was written before an error (a key of another type, say) is entered all the same: no run may be lost.
local is_whole, failure = pcall(take_all)
if #in_line > 0 then
  save_ranks()
  redis.call('ZADD', KEYS[1], unpack(by_time))
  redis.call('ZADD', KEYS[2], unpack(by_time))
  redis.call('ZADD', KEYS[4], unpack(in_line))
end
for batch, count in pairs(joined) do
  pcall(function()
    redis.call('HINCRBY', shared.batch .. batch, 'queued', count)
    redis.call('HINCRBY', shared.batch .. batch, 'open', count)
    reopen_batch(shared.batch .. batch, shared.batch_runs .. batch)
  end)
end
if not is_whole then error(failure) end
if #in_line == 0 then return answers end
redis.pcall('PUBLISH', KEYS[5], 'job') -- which an ACL may forbid; polling finds the job

-- The first run of all: remember which server took it. The rest of this is in begin.lua.
if redis.call('EXISTS', KEYS[6]) == 0 then
  local info = redis.pcall('INFO', 'server')
  local server = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '' -- INFO may be forbidden
  redis.call('HSET', KEYS[6], 'run_id', server, 'since', 0)
end
return answers
