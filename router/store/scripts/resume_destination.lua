-- Record that a destination has recovered, and take the incidents that wait for it.
--
-- Called:  resume_destination  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  set     the incidents that wait for the destination
-- KEYS[2]  hash    when destinations last recovered: recovered:NAME, lifted:NAME; until when the circuit breaker of a
--                  worker is open: open:NAME (microseconds)
-- ARGV[1]  string  the destination
-- ARGV[2]  string  recovered: an operation has succeeded; lifted: an operator has lifted its pauses
-- ARGV[3]  integer when, microseconds
-- Returns  list    the incident keys
redis.call('HSET', KEYS[2], ARGV[2] .. ':' .. ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[2], 'open:' .. ARGV[1])
local waiting = redis.call('SMEMBERS', KEYS[1])
redis.call('DEL', KEYS[1])
return waiting
