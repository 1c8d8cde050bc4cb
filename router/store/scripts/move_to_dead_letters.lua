-- Move a delivery that can't be processed from the inbox to the dead deliveries.
--
-- Called:  move_to_dead_letters  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  stream  the inbox
-- KEYS[2]  stream  the dead deliveries
-- ARGV[1]  string  the consumer group
-- ARGV[2]  string  the entry ID
-- ARGV[3]  string  the reason
-- Returns  integer 1 if moved, 0 if it no longer exists
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if #found == 0 then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  return 0
end
local fields = found[1][2]
fields[#fields + 1] = 'reason'
fields[#fields + 1] = ARGV[3]
redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
