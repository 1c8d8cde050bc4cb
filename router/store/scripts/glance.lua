-- Read incidents of one shard with their publications, and of what was read before only what has changed.
--
-- Called:  glance  KEYS[1..2n]  ARGV[1..n]
-- KEYS, two for each incident:
--   document      hash  v version, d packed incident
--   publications  hash  d packed publications, fence, until
-- ARGV          the version of each incident that is known already, 0 for none
-- A version, or publications, that are x stand for a key that isn't a hash.
-- Returns       list  the time in microseconds, then of each in turn: its version, false where there is none; the packed
--               incident, false where it is as known; the packed publications, false where there are none
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
