-- Count an automatic post, and trip the publishing guard if it is one too many.
--
-- Called:  count_auto_post  KEYS[1..3]  ARGV[1..7+n]
-- KEYS[1]  hash    the publishing controls: the guard's field and FIELD/PAGE, packed
-- KEYS[2]  zset    posts made automatically -> when, microseconds
-- KEYS[3]  zset    components touched automatically -> when, microseconds
-- ARGV[1]  integer maximum number of posts
-- ARGV[2]  integer window in microseconds
-- ARGV[3]  integer maximum number of components
-- ARGV[4]  integer window in microseconds
-- ARGV[5]  bytes   the value of the guard's field once it has tripped
-- ARGV[6]  string  the post: PAGE/EPISODE
-- ARGV[7]  string  the guard's field
-- ARGV[8..] string its components
-- Returns  integer 1, or 0 if the guard has tripped
local page = string.match(ARGV[6], '^[^/]*')
if redis.call('HEXISTS', KEYS[1], ARGV[7]) == 1 or redis.call('HEXISTS', KEYS[1], ARGV[7] .. '/' .. page) == 1 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- What was counted later than now was counted before the clock was set back: it counts from now on.
local function clamp(key)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf')) do
    redis.call('ZADD', key, string.format('%.0f', now), member)
  end
end
local function over(key, members, most, within)
  clamp(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - within)
  for _, member in ipairs(members) do
    redis.call('ZADD', key, 'NX', now, member)
  end
  redis.call('PEXPIRE', key, math.ceil(within / 1000))
  return redis.call('ZCARD', key) > most
end
local components = {}
for i = 8, #ARGV do
  components[#components + 1] = ARGV[i]
end
local posts = over(KEYS[2], {ARGV[6]}, tonumber(ARGV[1]), tonumber(ARGV[2]))
local touched = over(KEYS[3], components, tonumber(ARGV[3]), tonumber(ARGV[4]))
if posts or touched then
  redis.call('HSET', KEYS[1], ARGV[7], ARGV[5])
  return 0
end
return 1
