-- Have the events of a subject delivered again: store an earlier progress, and take the lease from who holds it.
--
-- Called:  rewind_delivery  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  hash    the subject's notifications: d packed, fence, until
-- KEYS[2]  zset    subjects with events to deliver -> due, microseconds
-- ARGV[1]  bytes   the progress as it was read; empty if there was none
-- ARGV[2]  bytes   the progress from now on
-- ARGV[3]  string  the subject
-- Returns  integer 1, or 0 if the progress has changed since: nothing was written
if (redis.call('HGET', KEYS[1], 'd') or '') ~= ARGV[1] then
  return 0
end
local fence = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') or 0
redis.call('HSET', KEYS[1], 'd', ARGV[2], 'fence', string.format('%.0f', fence + 1), 'until', 0)
redis.call('PEXPIRE', KEYS[1], 2592000000)
redis.call('ZADD', KEYS[2], 0, ARGV[3])
return 1
