-- Write down what a stage must not forget while it works. Fenced: only the owner of the run's job may.
-- KEYS: 1 run  2 files  3 in-progress  4 order index, or ''
-- ARGV: 1 run id  2 job id  3 owner  4 the run's starts when the owner began
--       5 JSON {fields = {name: text}, files = {path: text}}; an empty text removes
-- Returns 'noted', 'fenced' or 'moved'.
if redis.call('GET', KEYS[3]) ~= ARGV[3] then return 'fenced' end
if redis.call('HGET', KEYS[1], 'job_id') ~= ARGV[2] then return 'moved' end
if redis.call('HGET', KEYS[1], 'starts') ~= ARGV[4] then return 'fenced' end

local what = cjson.decode(ARGV[5])
local function write(key, fields)
  for name, text in pairs(fields) do
    if text == '' then redis.call('HDEL', key, name) else redis.call('HSET', key, name, text) end
  end
end
write(KEYS[1], what.fields)
write(KEYS[2], what.files)
-- An order that was placed, or a file that has arrived, is progress: a job that makes some is not to be set aside for its
-- workers' deaths.
if KEYS[4] ~= '' or next(what.files) then redis.call('HSET', KEYS[1], 'vain_starts', 1) end
if KEYS[4] ~= '' then redis.call('SET', KEYS[4], ARGV[1]) end
return 'noted'
