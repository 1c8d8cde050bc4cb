-- Request that publications of one shard be compared with what their vendors show.
--
-- Called:  recheck_publications  KEYS[1]  ARGV[1..]
-- KEYS[1]  zset    the shard's timers: incident key -> due, microseconds
-- ARGV[1]  string  prefix of the shard's keys
-- ARGV[2..] string pairs of an incident key and a destination
-- Returns  integer number of these incidents that have publications; others are ignored
-- The time of the request stays in the hash. The worker compares it with the time of its last observation, so a request
-- that arrives during one leads to another. As in wake_incidents.lua, the holder of the lease finds the field `wake`.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
local known = 0
for i = 2, #ARGV, 2 do
  local publications = ARGV[1] .. 'publications:' .. ARGV[i]
  if redis.call('TYPE', publications).ok == 'hash' and redis.call('HEXISTS', publications, 'd') == 1 then
    redis.call('HSET', publications, 'recheck', 1, 'recheck:' .. ARGV[i + 1], now, 'wake', 1)
    redis.call('HDEL', publications, 'rest')
    redis.call('ZADD', KEYS[1], 0, ARGV[i])
    known = known + 1
  end
end
return known
