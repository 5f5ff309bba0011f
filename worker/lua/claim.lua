-- Claim as many jobs as there are free slots: those that are due by time, and those at the head of the line of creates.
-- For each, write the owner into arq's in-progress key and move the job's score to the end of its lease, so that running
-- jobs leave the head of the queue, and those of killed workers are due before the line.
-- KEYS: 1 queue  2 arq's set of aborts  3 runs creating  4 runs waiting  5 what Planet refused  6 flows in line, and how
--       many turns there were
-- ARGV: 1 owner  2 slots, 1,000 at most  3 lease in ms  4 arq's prefix of in-progress keys  5 how many of the slots are
--       the line's first, 6 and at most  7 how many orders may be under way at once
-- Returns {whether there are aborts to be looked at before anything is started, job id, score, job id, score, ...}, the
-- score being when the job was due; one in line is due now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease_end = now + tonumber(ARGV[3])
local slots, least, most = tonumber(ARGV[2]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- The first in line: high before normal before low, but every tenth turn is that of the second priority that has anybody
-- waiting, and every hundredth that of the third, so that nobody waits for ever.
local function first_in_line(number)
  local waiting, first = {}, {}
  for _, band in ipairs({BANDS.high, BANDS.normal, BANDS.low}) do
    local from = band == BANDS.high and '-inf' or band -- what lies below all bands is nobody's doing; let it be looked at
    local jobs = redis.call('ZRANGEBYSCORE', KEYS[1], from, end_of_band(band), 'LIMIT', 0, number)
    if #jobs > 0 then waiting[#waiting + 1] = jobs end
  end
  while #waiting > 0 and #first < number do
    local at = #waiting
    local turn = at > 1 and redis.call('ZINCRBY', KEYS[6], 1, 'turns') or 0
    while turn % 10 ^ (at - 1) ~= 0 do at = at - 1 end
    first[#first + 1] = table.remove(waiting[at], 1)
    if #waiting[at] == 0 then table.remove(waiting, at) end
  end
  return first
end

-- Those due, the longest due first. What is in line stands before them, and leaves them fewer of the slots.
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, slots)
if found[2] and tonumber(found[2]) < 0 then
  local creates, places = {}, places_left(KEYS[3], KEYS[4], KEYS[5], tonumber(ARGV[7]), now)
  local spare = slots - redis.call('ZCOUNT', KEYS[1], 0, now)
  local number = math.min(slots, places, most, math.max(least, spare))
  if number > 0 then creates = first_in_line(number) end
  found = redis.call('ZRANGEBYSCORE', KEYS[1], 0, now, 'WITHSCORES', 'LIMIT', 0, slots - #creates)
  for _, job in ipairs(creates) do
    found[#found + 1] = job
    found[#found + 1] = now
  end
end

local moved = {}
local claimed = {#found > 0 and redis.call('EXISTS', KEYS[2]) or 0}
for i = 1, #found, 2 do
  local job = found[i]
  if redis.call('SET', ARGV[4] .. job, ARGV[1], 'NX', 'PX', ARGV[3]) then
    claimed[#claimed + 1] = job
    claimed[#claimed + 1] = found[i + 1]
    moved[#moved + 1] = lease_end
  else
    -- Another worker has it, perhaps one of plain arq, which leaves the score alone: look again when its mark ends.
    local left = redis.call('PTTL', ARGV[4] .. job)
    moved[#moved + 1] = now + math.max(left, 1000)
  end
  moved[#moved + 1] = job
end
if #moved > 0 then redis.call('ZADD', KEYS[1], unpack(moved)) end
return claimed
