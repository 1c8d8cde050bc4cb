-- Read incidents of one shard with their publications, leaving out incidents that the caller has already.
--
-- Called:  read_snapshot  KEYS[1..2n]  ARGV[1..n]
-- KEYS, two for each incident:
--   document      hash  v version, d encoded incident
--   publications  hash  d encoded publications, fence, until
-- ARGV          the version of each incident that the caller has, 0 for none
-- A version, or publications, of x mean that the key isn't a hash.
-- Returns       list  the time in microseconds, then for each: its version, false if there is none; the encoded
--               incident, false if the caller has it; the encoded publications, false if there are none
local time = redis.call('TIME')
local result = {string.format('%.0f', time[1] * 1000000 + time[2])}
for i = 1, #KEYS, 2 do
  local version = redis.pcall('HGET', KEYS[i], 'v')
  local packed = redis.pcall('HGET', KEYS[i + 1], 'd')
  if type(version) == 'table' then
    version = 'x'
  end
  result[#result + 1] = version
  result[#result + 1] = version and version ~= 'x' and version ~= ARGV[(i + 1) / 2] and redis.call('HGET', KEYS[i], 'd')
  result[#result + 1] = type(packed) == 'table' and 'x' or packed
end
return result
