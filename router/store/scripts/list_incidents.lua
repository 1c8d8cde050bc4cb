-- Return the members of one index of a shard, and remove expired ones.
--
-- Called:  list_incidents  KEYS[1..2]
-- KEYS[1]  zset    the index: incident key -> when it expires, milliseconds; inf for never
-- KEYS[2]  zset    for the index of incidents, their names: those of expired incidents are removed
-- Returns  list    the incident keys
local time = redis.call('TIME')
local now_ms = string.format('%.0f', math.floor(time[1] * 1000 + time[2] / 1000))
for _, member in ipairs(KEYS[2] and redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms) or {}) do
  local key = 'k:' .. member .. '\0'
  for _, old in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '[' .. key, '[' .. key .. '\255')) do
    local reference = string.sub(old, #key + 1)
    if not string.find(reference, '%z') then
      redis.call('ZREM', KEYS[2], old, 'r:' .. reference .. '\0' .. member)
    end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
return redis.call('ZRANGE', KEYS[1], 0, -1)
