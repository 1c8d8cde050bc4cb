-- Remove the oldest deliveries from the archive until it is within its age and size limits.
--
-- Called:  trim_archive  KEYS[1]  ARGV[1..2]
-- KEYS[1]  stream  the archive
-- ARGV[1]  integer maximum age, milliseconds
-- ARGV[2]  integer maximum size in bytes, by the server's estimate
-- Returns  list    {remaining entries, their size in bytes}
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
