-- Read incidents of one shard, leaving out those that the caller has already.
--
-- Called:  read_incidents  KEYS[1]  ARGV[1..2]
-- KEYS[1]  zset    the shard's incidents; the documents are of this shard, named by ARGV[1] and the incident key:
--   document   hash    v version, d encoded incident
-- ARGV[1]  string  prefix of the documents' keys
-- ARGV[2]  packed  for each incident its key and the version that the caller has, 0 for none
-- Returns  list    the time in microseconds, then for each incident that exists its number in ARGV[2] from 0, its version,
--                  and its encoded document: false if the caller has it. The version is x if the key isn't a hash
local time = redis.call('TIME')
local result = {string.format('%.0f', time[1] * 1000000 + time[2])}
local asked = cmsgpack.unpack(ARGV[2])
local function read(i)
  local document, version, data = ARGV[1] .. asked[i], nil, nil
  if asked[i + 1] == 0 then
    local held = redis.pcall('HMGET', document, 'v', 'd')
    version, data = held.err and 'x' or held[1], held[2]
  else
    version = redis.pcall('HGET', document, 'v')
    if type(version) == 'table' then
      version = 'x'
    elseif version and tonumber(version) ~= asked[i + 1] then
      data = redis.call('HGET', document, 'd')
    end
  end
  if version then
    local size = #result
    result[size + 1], result[size + 2], result[size + 3] = (i - 1) / 2, version, data or false
  end
end
-- In a storm, most incidents are new: one command is enough to see that none of 64 exists.
local unknown = {}
for i = 1, #asked, 2 do
  if asked[i + 1] == 0 then
    unknown[#unknown + 1] = i
  else
    read(i)
  end
end
for first = 1, #unknown, 64 do
  local keys = {}
  for j = first, math.min(first + 63, #unknown) do
    keys[#keys + 1] = ARGV[1] .. asked[unknown[j]]
  end
  if redis.call('EXISTS', unpack(keys)) > 0 then
    for j = first, math.min(first + 63, #unknown) do
      read(unknown[j])
    end
  end
end
return result
