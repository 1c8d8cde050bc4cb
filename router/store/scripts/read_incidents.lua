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
local function read(first, last)
  for i = first, last, 2 do
    local document = ARGV[1] .. asked[i]
    local version = redis.pcall('HGET', document, 'v')
    if version then
      version = type(version) == 'table' and 'x' or version
      local has = version == 'x' or tonumber(version) == asked[i + 1]
      local size = #result
      result[size + 1] = (i - 1) / 2
      result[size + 2] = version
      result[size + 3] = not has and redis.call('HGET', document, 'd')
    end
  end
end
-- A storm is of new incidents: one command is enough to see that none of many exists.
for first = 1, #asked, 128 do
  local last = math.min(first + 127, #asked)
  local keys = {}
  for i = first, last, 2 do
    keys[#keys + 1] = ARGV[1] .. asked[i]
  end
  if redis.call('EXISTS', unpack(keys)) > 0 then
    read(first, last)
  end
end
return result
