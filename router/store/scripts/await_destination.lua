-- Register an incident to be woken when a destination recovers, and return when it last did.
--
-- Called:  await_destination  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  set     the incidents that wait for the destination
-- KEYS[2]  hash    when destinations last recovered: recovered:NAME, lifted:NAME; until when the circuit breaker of a
--                  worker is open: open:NAME (microseconds)
-- ARGV[1]  string  the destination
-- ARGV[2]  string  the incident key
-- ARGV[3]  integer until when the circuit breaker is open, microseconds; 0 if it waits for another reason
-- Returns  list    recovered, lifted; '0' for never
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], 604800000)
if ARGV[3] ~= '0' then
  redis.call('HSET', KEYS[2], 'open:' .. ARGV[1], ARGV[3])
end
local found = redis.call('HMGET', KEYS[2], 'recovered:' .. ARGV[1], 'lifted:' .. ARGV[1])
return {found[1] or '0', found[2] or '0'}
