-- Release a lease and set the incident's next timer.
--
-- Called:  release_lease  KEYS[1..4]  ARGV[1..5]
-- KEYS[1]  hash    the incident: v version, d encoded
-- KEYS[2]  hash    the publications: d encoded, fence, until, wake, rest
-- KEYS[3]  zset    the shard's timers
-- KEYS[4]  zset    the shard's incidents with publications: incident key -> when these expire, milliseconds
-- ARGV[1]  integer the fence of the lease
-- ARGV[2]  integer the version of the incident that was reconciled
-- ARGV[3]  integer when the incident is due next, microseconds; 0 for never
-- ARGV[4]  string  the incident key
-- ARGV[5]  integer time to live of the publications in milliseconds, 0 for no expiry
-- Returns  integer 1 released, 2 released and due now because the incident has changed or was woken, 0 lease lost
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], 'until', 0)
if (redis.call('HGET', KEYS[1], 'v') or '0') ~= ARGV[2] or redis.call('HEXISTS', KEYS[2], 'wake') == 1 then
  redis.call('ZADD', KEYS[3], 0, ARGV[4])
  return 2
end
if ARGV[3] == '0' then
  redis.call('ZREM', KEYS[3], ARGV[4])
  -- The incident has no timer on purpose. The sweep rebuilds only lost timers.
  redis.call('HSET', KEYS[2], 'rest', ARGV[2])
else
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4])
end
if ARGV[5] ~= '0' then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[4], math.floor(time[1] * 1000 + time[2] / 1000) + ARGV[5], ARGV[4])
end
return 1
