-- The one place where a run moves: check who asks, change the run, end its job, enqueue the next, keep the history.
-- Behind batch.lua and line.lua.
-- KEYS: 1 run  2 history  3 files  4 runs in the new state  5 events  6 watch  7 queue  8 bell
--       9 producer key, or ''  10 order index, or ''  11 in-progress, job, retry and result of the job that ends
--       (11 to 14, or ''), 15 job that comes, or ''  16 log  17 in-progress of the job that comes, or ''
--       18 flows in line  19 what Planet refused
-- ARGV: 1 JSON of the move, see jobs.store.Move
-- Returns {'moved'}, {'again'} (this very move was made before: the answer was lost), {'fenced'} (another worker has
-- the job, or the run is not parked) or {'stale'} (the run has moved on); behind the first two, fields and values of the
-- run if its owner has taken on the job that comes.
local move = cjson.decode(ARGV[1])
local run = KEYS[1]
local now_parts = redis.call('TIME')
local now = now_parts[1] * 1000 + math.floor(now_parts[2] / 1000)

local had = redis.call('HMGET', run, 'last_move', 'step', 'state', 'job_id', 'starts', 'vain_starts', 'finished_at')
if had[1] == move.id then
  local is_still_taken = move.take_ms > 0 and had[4] == move.next_job_id and tonumber(had[5]) == 1
                         and redis.call('GET', KEYS[17]) == move.owner
  return {'again', unpack(is_still_taken and redis.call('HGETALL', run) or {})}
end
if tonumber(had[2] or '0') ~= move.step then return {'stale'} end

-- Who may move the run: the owner of its job, the watcher if it is parked, a person if nobody has it in hand.
if move.by == 'owner' then
  if redis.call('GET', KEYS[11]) ~= move.owner then return {'fenced'} end
  if had[4] ~= move.job_id then return {'stale'} end
  -- Whoever lost its lease for a while and got it back must be sure that nobody began the job in between.
  if tonumber(had[5] or '0') ~= move.starts then return {'fenced'} end
elseif move.by == 'watcher' then
  if had[4] or not redis.call('ZSCORE', KEYS[6], move.run_id) then return {'fenced'} end
else
  if had[3] ~= move.from_state then return {'stale'} end
  if had[4] and redis.call('EXISTS', KEYS[11]) == 1 then return {'fenced'} end
end

-- The job that ends, and the parking place.
if move.job_id ~= '' then
  redis.call('ZREM', KEYS[7], move.job_id)
  redis.call('DEL', KEYS[11], KEYS[12], KEYS[13])
  if move.result ~= '' then redis.call('SET', KEYS[14], move.result, 'PX', move.result_ms) end
end
redis.call('ZREM', KEYS[6], move.run_id)

-- The run itself: its record is written once, when all is known.
local set = {'last_move', move.id, 'step', move.step + 1, 'state', move.state, 'stage', move.stage,
             'reason', move.reason, 'updated_at', now}
local gone = {}
local function put(name, text)
  set[#set + 1] = name
  set[#set + 1] = text
end
local function drop(name) gone[#gone + 1] = name end

if had[3] ~= move.state then redis.call('ZREM', move.state_prefix .. had[3], move.run_id) end
redis.call('ZADD', KEYS[4], now, move.run_id)
for name, text in pairs(move.fields) do
  if text == '' then drop(name) else put(name, text) end
end
local vain = tonumber(had[6] or '0')
if move.enters_stage then drop('faults') end
if move.take_ms > 0 then
  -- Its owner goes on with the run: it has begun the next stage, as begin.lua would have it.
  for _, count in ipairs({'starts', 'vain_starts', 'tries'}) do put(count, 1) end
  put('worker', move.worker)
else
  drop('starts')
  if move.enters_stage then drop('tries') end
  if vain > 1 and move.next_job_id ~= '' and not move.enters_stage then
    -- The same stage once more: this start did not end its worker, but those before it did, and it got nowhere either.
    put('vain_starts', vain - 1)
  else
    drop('vain_starts')
  end
end
if KEYS[10] ~= '' then redis.call('SET', KEYS[10], move.run_id) end
redis.call('RPUSH', KEYS[2], cjson.encode({at = now, state = move.state, stage = move.stage, reason = move.reason,
           tries = move.tries, worker = move.worker}))
redis.call('XADD', KEYS[5], 'MAXLEN', '~', 10000, '*', 'run_id', move.run_id, 'state', move.state,
           'stage', move.stage, 'reason', move.reason, 'at', now)

if #move.log > 0 then
  redis.call('RPUSH', KEYS[16], unpack(move.log))
  redis.call('LTRIM', KEYS[16], -50, -1)
  redis.call('PEXPIRE', KEYS[16], move.retention_ms)
end

-- What comes next: a job, the parking place, or the end, from which on the run's keys have a lifetime.
if move.next_job_id ~= '' then
  put('job_id', move.next_job_id)
  redis.call('PSETEX', KEYS[15], move.job_ms, move.payload)
  if move.take_ms > 0 then
    redis.call('SET', KEYS[17], move.owner, 'PX', move.take_ms) -- as claim.lua would have it
    redis.call('ZADD', KEYS[7], now + move.take_ms, move.next_job_id)
  else
    local score = now + move.delay_ms
    if had[3] == 'creating' and move.state == 'queued' then
      -- Planet refused its order as one too many. It is the next to be placed, when one of those under way has ended.
      score = rank_at_head(KEYS[7], move.priority)
      local creating, waiting = move.state_prefix .. 'creating', move.state_prefix .. 'waiting'
      note_refusal(KEYS[19], redis.call('ZCARD', creating) + redis.call('ZCARD', waiting), now)
    elseif move.state == 'queued' then
      score = rank_at_end(KEYS[7], KEYS[18], move.priority, move.flow)
    end
    redis.call('ZADD', KEYS[7], score, move.next_job_id)
    -- A bell that may not be rung, as an ACL can forbid it, must not end the script half-way: polling finds the job.
    if move.delay_ms == 0 then redis.pcall('PUBLISH', KEYS[8], 'job') end
  end
else
  drop('job_id')
  if move.park_ms >= 0 then redis.call('ZADD', KEYS[6], now + move.park_ms, move.run_id) end
end

if move.is_final then put('finished_at', now) elseif had[7] then drop('finished_at') end
if move.callback then
  redis.call('PSETEX', move.callback.key, move.job_ms, move.callback.payload)
  redis.call('ZADD', KEYS[7], now, move.callback.job_id)
  redis.pcall('PUBLISH', KEYS[8], 'job')
end
if move.batch then
  count_move(move.batch, had[3], move.state, had[7] ~= false, move.is_final, now, move.retention_ms)
end
redis.call('HSET', run, unpack(set))
if #gone > 0 then redis.call('HDEL', run, unpack(gone)) end

local mine = {run, KEYS[2], KEYS[3]}
if KEYS[9] ~= '' then mine[#mine + 1] = KEYS[9] end
if KEYS[10] ~= '' then mine[#mine + 1] = KEYS[10] end
for _, key in ipairs((move.is_final or had[7]) and mine or {}) do
  if move.is_final then redis.call('PEXPIRE', key, move.retention_ms) else redis.call('PERSIST', key) end
end
return {'moved', unpack(move.take_ms > 0 and redis.call('HGETALL', run) or {})}
