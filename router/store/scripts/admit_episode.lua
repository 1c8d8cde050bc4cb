-- Admit an episode of an incident, or queue it if too many have opened within the window.
--
-- Called:  admit_episode  KEYS[1..2]  ARGV[1..4]
-- KEYS[1]  zset    admitted episodes -> when, microseconds
-- KEYS[2]  zset    queued episodes -> their rank
-- ARGV[1]  integer maximum number of admitted episodes
-- ARGV[2]  integer window, microseconds
-- ARGV[3]  string  the episode; admitting it again doesn't count again
-- ARGV[4]  integer its rank: lower goes first
-- Returns  integer 1 if admitted, 0 if queued
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
if not redis.call('ZSCORE', KEYS[1], ARGV[3]) then
  local room = tonumber(ARGV[1]) - redis.call('ZCARD', KEYS[1])
  if redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. ARGV[4]) >= room then
    redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
    return 0
  end
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[3])
  redis.call('PEXPIRE', KEYS[1], math.ceil(within / 1000))
end
redis.call('ZREM', KEYS[2], ARGV[3])
return 1
