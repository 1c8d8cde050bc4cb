-- What one list of a shard names, without what has expired.
--
-- Called:  names  KEYS[1]
-- KEYS[1]  zset    the list: incident key -> when it expires, milliseconds; inf for never
-- Returns  list    the incident keys
local time = redis.call('TIME')
local now_ms = string.format('%.0f', math.floor(time[1] * 1000 + time[2] / 1000))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
return redis.call('ZRANGE', KEYS[1], 0, -1)
