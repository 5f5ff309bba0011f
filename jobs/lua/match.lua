-- Which of these runs are wanted; nothing is written.
-- ARGV: 1 prefix of runs' records  2 JSON of the fields that a record must hold  3 a text that its name must hold, or its id
--       begin or end with, whatever the case of plain letters; '' for any  4.. run ids
-- Returns the places of the wanted among the ids, from 1 on.
local fields, text = cjson.decode(ARGV[2]), string.lower(ARGV[3])
local names, values = {'name'}, {}
for name, value in pairs(fields) do
  names[#names + 1] = name
  values[#names] = value
end

local function holds_text(run_id, name)
  local id = string.lower(run_id)
  return text == '' or string.sub(id, 1, #text) == text or string.sub(id, -#text) == text
    or string.find(string.lower(name), text, 1, true) ~= nil
end

local wanted = {}
for i = 4, #ARGV do
  local record = redis.pcall('HMGET', ARGV[1] .. ARGV[i], unpack(names))
  local is_wanted = not record.err and holds_text(ARGV[i], record[1] or '') -- what is no record has no fields
  for at, value in pairs(values) do is_wanted = is_wanted and record[at] == value end
  if is_wanted then wanted[#wanted + 1] = i - 3 end
end
return wanted
