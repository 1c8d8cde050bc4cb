-- Store how far the notifiers have got with a subject's events, if the lease is still ours; keep the lease, or give it back.
--
-- Called:  record_delivery  KEYS[1..2]  ARGV[1..6]
-- KEYS[1]  hash    the subject's notifications: d packed, seq, fence, until
-- KEYS[2]  zset    subjects with events to deliver -> due, microseconds
-- ARGV[1]  integer the fence that the lease was given with
-- ARGV[2]  bytes   the progress, packed
-- ARGV[3]  string  the subject
-- ARGV[4]  integer the lease from now on, microseconds; 0 to give it back
-- ARGV[5]  integer when to deliver next, microseconds; 0 for when there are new events
-- ARGV[6]  integer the newest sequence number that the lease was given with
-- Returns  integer 1, or 0 if another worker holds the lease: nothing was written
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'd', ARGV[2])
redis.call('PEXPIRE', KEYS[1], 2592000000)
if ARGV[4] ~= '0' then
  local time = redis.call('TIME')
  local lease = string.format('%.0f', time[1] * 1000000 + time[2] + tonumber(ARGV[4]))
  redis.call('HSET', KEYS[1], 'until', lease)
  redis.call('ZADD', KEYS[2], lease, ARGV[3])
  return 1
end
redis.call('HSET', KEYS[1], 'until', 0)
if (redis.call('HGET', KEYS[1], 'seq') or '0') ~= ARGV[6] then
  redis.call('ZADD', KEYS[2], 0, ARGV[3])
elseif ARGV[5] == '0' then
  redis.call('ZREM', KEYS[2], ARGV[3])
else
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[3])
end
return 1
