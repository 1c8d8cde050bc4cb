-- Write an incident's publications if the caller still holds the lease, and extend the lease.
--
-- Called:  record_publications  KEYS[1..3]  ARGV[1..5]
-- KEYS[1]  hash    the publications: d encoded, fence, until
-- KEYS[2]  zset    the shard's timers
-- KEYS[3]  stream  the incident's timeline: e encoded
-- ARGV[1]  integer the fence of the lease
-- ARGV[2]  bytes   the encoded publications
-- ARGV[3]  integer duration of the lease from now on, microseconds
-- ARGV[4]  string  the incident key
-- ARGV[5]  bytes   the encoded events; empty if there are none
-- Returns  integer 1, or 0 if another worker holds the lease and nothing was written
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local lease = string.format('%.0f', time[1] * 1000000 + time[2] + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'd', ARGV[2], 'until', lease)
redis.call('ZADD', KEYS[2], lease, ARGV[4])
if ARGV[5] ~= '' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'e', ARGV[5])
  redis.call('PEXPIRE', KEYS[3], 2592000000)
end
return 1
