-- Read incidents of one shard, leaving out those that the caller has already.
--
-- Called:  read_incidents  KEYS[1]  ARGV[1..2]
-- KEYS[1]  zset    the shard's incidents; the documents are of this shard, named by ARGV[1] and the incident key:
--   document   hash    v version, d encoded incident
-- ARGV[1]  string  prefix of the documents' keys
-- ARGV[2]  packed  for each incident its key and the version that the caller has, 0 for none
-- Returns  list    the time in microseconds, then version and encoded incident of each in turn: false and false where
--                  there is none, the version and false if the caller has it, x and false if the key
--                  isn't a hash
local time = redis.call('TIME')
local result = {string.format('%.0f', time[1] * 1000000 + time[2])}
local asked = cmsgpack.unpack(ARGV[2])
for i = 1, #asked, 2 do
  local document = ARGV[1] .. asked[i]
  local version = redis.pcall('HGET', document, 'v')
  if type(version) == 'table' then
    version = 'x'
  end
  result[i + 1] = version
  result[i + 2] = version and version ~= 'x' and tonumber(version) ~= asked[i + 1] and redis.call('HGET', document, 'd')
end
return result
