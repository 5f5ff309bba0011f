-- Which jobs somebody wants given up. Tidies arq's set of aborts, which arq itself never empties.
-- KEYS: 1 arq's set of aborts
-- ARGV: 1 arq's prefix of jobs  2 arq's prefix of in-progress keys
-- Returns {job id, ...}: jobs of any queue that have not ended.
local unwanted = {}
local asked = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #asked, 2 do
  local job, asked_at = asked[i], tonumber(asked[i + 1])
  local payload = redis.call('GET', ARGV[1] .. job)
  local has_ended = not payload and redis.call('EXISTS', ARGV[2] .. job) == 0
  -- Asked before the job was enqueued: an earlier job of the same id was meant.
  local readable, known = pcall(cjson.decode, payload or '')
  local is_another = readable and type(known) == 'table' and (tonumber(known.et) or 0) > asked_at
  if has_ended or is_another then redis.call('ZREM', KEYS[1], job) else unwanted[#unwanted + 1] = job end
end
return unwanted
