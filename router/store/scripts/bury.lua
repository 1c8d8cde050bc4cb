-- Move a delivery that cannot be processed from the inbox to the dead letters.
--
-- Called:  bury  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  stream  the inbox
-- KEYS[2]  stream  the dead letters
-- ARGV[1]  string  the consumer group
-- ARGV[2]  string  the entry's id
-- ARGV[3]  string  why it cannot be processed
-- Returns  integer 1 moved, 0 it was no longer there
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
