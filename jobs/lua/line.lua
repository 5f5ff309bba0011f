-- The line of creates, for the scripts behind this text: submit, begin, move, claim, hand_back.
-- The job of a queued run waits in arq's queue as every job does, but by rank instead of by time. Ranks are below 0, and
-- each priority has a band of its own. Within a band the flows (batches, producers) take turns: the rank of a flow's next
-- job is one above that of its last, but never lower than that of a flow which joins now.
local BAND_WIDTH = 1e12
local BANDS = {high = -3e12, normal = -2e12, low = -1e12}

local function band_of(priority) return BANDS[priority] or BANDS.normal end

local function end_of_band(band) return '(' .. (band + BAND_WIDTH) end

-- The lowest rank that waits in a band, or nil.
local function lowest_rank(queue, band)
  local first = redis.call('ZRANGEBYSCORE', queue, band, end_of_band(band), 'WITHSCORES', 'LIMIT', 0, 1)
  return tonumber(first[2])
end

-- The rank of a job that goes back to the head of its band.
local function rank_at_head(queue, priority)
  local band = band_of(priority)
  return lowest_rank(queue, band) or band
end

-- Two functions: `rank` gives new jobs their ranks, each at the end of its flow, and `save` writes down the last of each
-- flow. Flows that are behind the head have nothing to be remembered.
local function line_up(queue, flows)
  local lowest, last = {}, {}
  local function rank(priority, flow)
    local band = band_of(priority)
    if not lowest[band] then
      local first = lowest_rank(queue, band)
      redis.call('ZREMRANGEBYSCORE', flows, band, first and '(' .. first or end_of_band(band))
      lowest[band] = first or band
    end
    local name = band .. ' ' .. flow
    local before = last[name] or tonumber(redis.call('ZSCORE', flows, name)) or band
    last[name] = math.max(lowest[band], before) + 1
    return last[name]
  end
  local function save()
    for name, rank in pairs(last) do redis.call('ZADD', flows, rank, name) end
  end
  return rank, save
end

-- The rank of one new job, at the end of its flow.
local function rank_at_end(queue, flows, priority, flow)
  local rank, save = line_up(queue, flows)
  local at_end = rank(priority, flow)
  save()
  return at_end
end

-- How many orders may be placed, as long as no more than `most` are to be under way at once. After Planet has refused one
-- as too many, no more than were under way then; one more after a pause, 3 after two, 7 after three, until it refuses
-- again: others may use the same account, whose orders end unseen.
local function places_left(creating, waiting, full, most, now)
  local taken = redis.call('ZCARD', creating) + redis.call('ZCARD', waiting)
  local orders, since, pause = unpack(redis.call('HMGET', full, 'orders', 'since', 'pause'))
  if orders then most = math.min(most, orders + 2 ^ math.floor((now - since) / pause) - 1) end
  return most - taken
end

-- Planet has refused an order as one too many, with so many of ours under way. The pause is 5 s; where the first order
-- that was tried after one is refused, the next is twice as long, but no longer than a minute.
local function note_refusal(full, under_way, now)
  local since, pause = unpack(redis.call('HMGET', full, 'since', 'pause'))
  local pauses = since and (now - since) / pause
  if not pauses or pauses >= 2 then pause = 5000 elseif pauses >= 1 then pause = math.min(2 * pause, 60000) end
  redis.call('HSET', full, 'orders', under_way, 'since', now, 'pause', pause)
  redis.call('PEXPIRE', full, 18 * pause) -- when places_left would allow 262,143 more
end

