-- Count an update of a public page, or return when one will be allowed.
--
-- Called:  reserve_update  KEYS[1]  ARGV[1..3]
-- KEYS[1]  zset    the page's updates -> when, microseconds
-- ARGV[1]  integer maximum number of updates
-- ARGV[2]  integer window, microseconds
-- ARGV[3]  string  the update; counting it again doesn't count twice
-- Returns  integer 0 if counted, else the microseconds since the epoch from which an update is allowed
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local within = tonumber(ARGV[2])
-- Later times were written before the clock was set back. Treat them as now.
local function clamp(key)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf')) do
    redis.call('ZADD', key, string.format('%.0f', now), member)
  end
end
clamp(KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - within))
if redis.call('ZSCORE', KEYS[1], ARGV[3]) then
  return 0
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return tonumber(oldest[2]) + within + 1
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(within / 1000))
return 0
