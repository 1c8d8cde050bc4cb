-- Remove the oldest entries of a stream until it is within a size limit. The newest entry always stays.
--
-- Called:  evict_entries  KEYS[1]  ARGV[1]
-- KEYS[1]  stream
-- ARGV[1]  integer the limit in bytes, by the server's estimate
-- Returns  list    {entries removed, size in bytes before}
local bytes = redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0) or 0
local excess = bytes - tonumber(ARGV[1])
local left = redis.call('XLEN', KEYS[1])
local removed = 0
while excess > 0 and left > 1 do
  local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  for _, text in ipairs(entry[2]) do
    excess = excess - #text
  end
  redis.call('XDEL', KEYS[1], entry[1])
  removed = removed + 1
  left = left - 1
end
return {removed, bytes}
