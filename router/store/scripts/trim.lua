-- Let the oldest deliveries of the archive go: those that are too old, and as many as make it too large.
--
-- Called:  trim  KEYS[1]  ARGV[1..2]
-- KEYS[1]  stream  the archive
-- ARGV[1]  integer how long a delivery is kept, milliseconds
-- ARGV[2]  integer how many bytes the archive may take, by the server's own estimate
-- Returns  list    {entries left, bytes they take}
local time = redis.call('TIME')
local oldest = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[1]))
redis.call('XTRIM', KEYS[1], 'MINID', oldest)
local bytes = redis.call('MEMORY', 'USAGE', KEYS[1]) or 0
local entries = redis.call('XLEN', KEYS[1])
local most = tonumber(ARGV[2])
if bytes > most and entries > 0 then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', math.floor(entries * most / bytes))
  entries = redis.call('XLEN', KEYS[1])
  bytes = redis.call('MEMORY', 'USAGE', KEYS[1]) or 0
end
return {entries, bytes}
