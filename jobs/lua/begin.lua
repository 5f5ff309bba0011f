-- A worker starts a stage: count the start and read the run. Fenced: only the owner of the job may.
-- Behind batch.lua and line.lua.
-- KEYS: 1 run  2 history  3 in-progress  4 runs queued  5 runs creating  6 events
--       7 server  8 runs waiting  9 what Planet refused
-- ARGV: 1 run id  2 job id  3 owner  4 worker's name  5 the fleet's destination  6 newest version of a record known
--       7 prefix of a batch's key
--       8 how many orders may be under way at once
-- Returns {'begun', field, value, ...}, {'fenced'} (another worker has the job), {'moved'} (the run has another job, or
-- none), {'unknown'} (there is no such run), {'newer', version} (its record is one of a newer version) or {'full'} (it
-- would place an order more than there may be).
if redis.call('GET', KEYS[3]) ~= ARGV[3] then return {'fenced'} end
local job, version = unpack(redis.call('HMGET', KEYS[1], 'job_id', 'version'))
if version and (tonumber(version) or 0) > tonumber(ARGV[6]) then return {'newer', version} end
if not job then return {redis.call('EXISTS', KEYS[1]) == 1 and 'moved' or 'unknown'} end
if job ~= ARGV[2] then return {'moved'} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Here, and nowhere else, a run comes to be one of those that may have an order under way. One that has an order, perhaps,
-- or that is only begun to be ended, needs no place.
local state, intent_at, order_id, unwanted, deadline = unpack(redis.call('HMGET', KEYS[1], 'state', 'intent_at', 'order_id',
                                                                         'cancel_requested', 'deadline_at'))
if state == 'queued' and not (intent_at or order_id or unwanted or tonumber(deadline or now) < now)
   and places_left(KEYS[5], KEYS[8], KEYS[9], tonumber(ARGV[8]), now) < 1 then
  return {'full'}
end

redis.call('HINCRBY', KEYS[1], 'starts', 1)
redis.call('HINCRBY', KEYS[1], 'vain_starts', 1)
local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
redis.call('HSET', KEYS[1], 'worker', ARGV[4])
redis.call('HSETNX', KEYS[1], 'destination', ARGV[5])

-- Whoever began this run before may have placed its order under a server that has forgotten so since: one that crashed
-- with its last writes, a primary before a failover, a backup that was put back. A run that is older than the server's
-- present life, and knows of neither an order nor a POST, gets an intent, so that its order is looked up first.
local stage, created_at = unpack(redis.call('HMGET', KEYS[1], 'stage', 'created_at'))
if stage == 'create' and not intent_at and not order_id then
  local info = redis.pcall('INFO', 'server')
  local server = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '' -- INFO may be forbidden
  local known, since = unpack(redis.call('HMGET', KEYS[7], 'run_id', 'since'))
  if known ~= server then
    since = known and now or 0 -- nobody known: the first life, or one after a clean end
    redis.call('HSET', KEYS[7], 'run_id', server, 'since', since)
  end
  if tonumber(created_at) < tonumber(since) then redis.call('HSET', KEYS[1], 'intent_at', since) end
end

-- A queued run becomes a creating one: the only move that is no change of job.
if state == 'queued' then
  redis.call('HSET', KEYS[1], 'state', 'creating', 'updated_at', now)
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[5], now, ARGV[1])
  redis.call('RPUSH', KEYS[2], cjson.encode({at = now, state = 'creating', stage = 'create', reason = 'started',
             tries = tries, worker = ARGV[4]}))
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', 10000, '*', 'run_id', ARGV[1], 'state', 'creating', 'stage', 'create',
             'reason', 'started', 'at', now)
  local batch = redis.call('HGET', KEYS[1], 'batch_id')
  if batch then count_move({key = ARGV[7] .. batch}, 'queued', 'creating', false, false) end
end

local run = redis.call('HGETALL', KEYS[1])
table.insert(run, 1, 'begun')
return run
