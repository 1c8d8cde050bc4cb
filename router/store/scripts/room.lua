-- Count an update of a public page, or learn when there will be room for it.
--
-- Called:  room  KEYS[1]  ARGV[1..3]
-- KEYS[1]  zset    the page's updates -> when, microseconds
-- ARGV[1]  integer how many at the most
-- ARGV[2]  integer in how long, microseconds
-- ARGV[3]  string  the update; counted twice it counts once
-- Returns  integer 0 counted, else the microseconds since the epoch from which there is room
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local within = tonumber(ARGV[2])
-- What was counted later than now was counted before the clock was set back: it counts from now on.
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
