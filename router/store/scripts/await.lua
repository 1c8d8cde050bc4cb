-- Have an incident woken when a destination works again, and learn when it last did.
--
-- Called:  await  KEYS[1..2]  ARGV[1..2]
-- KEYS[1]  set     the incidents that wait for the destination
-- KEYS[2]  hash    when destinations last worked again: recovered:NAME, lifted:NAME (microseconds)
-- ARGV[1]  string  the destination
-- ARGV[2]  string  the incident key
-- Returns  list    recovered, lifted; '0' for never
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], 604800000)
local found = redis.call('HMGET', KEYS[2], 'recovered:' .. ARGV[1], 'lifted:' .. ARGV[1])
return {found[1] or '0', found[2] or '0'}
