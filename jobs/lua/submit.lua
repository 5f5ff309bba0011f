-- Write a new run and enqueue its create job, or find the run that the producer's key already belongs to.
-- KEYS: 1 run  2 history  3 producer key, or ''  4 runs  5 runs in its state  6 events  7 queue  8 job  9 bell
--       10 server
-- ARGV: 1 run id  2 job id  3 job payload  4 job's life in ms  5 fingerprint  6.. field, value pairs of the run
-- Returns {'created', run id}, {'known', run id} or {'reused', run id}: the key's run has another request.
if redis.call('EXISTS', KEYS[1]) == 1 then return {'created', ARGV[1]} end -- asked again, the answer was lost
if KEYS[3] ~= '' then
  local known = redis.call('GET', KEYS[3])
  if known then
    local run = string.sub(KEYS[1], 1, #KEYS[1] - #ARGV[1]) .. known
    local same = redis.call('HGET', run, 'fingerprint') == ARGV[5]
    return {same and 'known' or 'reused', known}
  end
  redis.call('SET', KEYS[3], ARGV[1])
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local fields = {'fingerprint', ARGV[5], 'job_id', ARGV[2], 'created_at', now, 'updated_at', now}
for i = 6, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('RPUSH', KEYS[2], cjson.encode({at = now, state = 'queued', stage = 'create', reason = 'submitted'}))
redis.call('ZADD', KEYS[4], now, ARGV[1])
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 10000, '*', 'run_id', ARGV[1], 'state', 'queued', 'stage', 'create',
           'reason', 'submitted', 'at', now)
redis.call('PSETEX', KEYS[8], ARGV[4], ARGV[3])
redis.call('ZADD', KEYS[7], now, ARGV[2])
redis.call('PUBLISH', KEYS[9], 'job')

-- The first run of all: remember which server took it. The rest of this is in begin.lua.
if redis.call('EXISTS', KEYS[10]) == 0 then
  local info = redis.pcall('INFO', 'server')
  local server = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '' -- INFO may be forbidden
  redis.call('HSET', KEYS[10], 'run_id', server, 'since', 0)
end
return {'created', ARGV[1]}
