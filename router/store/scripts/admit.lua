-- Let an incident's episode open, or have it wait: no more of them open in a while than may.
--
-- Called:  admit  KEYS[1..2]  ARGV[1..4]
-- KEYS[1]  zset    episodes let in -> when, microseconds
-- KEYS[2]  zset    episodes that wait -> their turn
-- ARGV[1]  integer how many at the most
-- ARGV[2]  integer in how long, microseconds
-- ARGV[3]  string  the episode; let in twice it counts once
-- ARGV[4]  integer its turn: lower goes first
-- Returns  integer 1 where it is let in, 0 where it waits
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
