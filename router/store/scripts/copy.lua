-- Read all that there is of one incident, at one moment.
--
-- Called:  copy  KEYS[1..3]
-- KEYS[1]  hash    the incident
-- KEYS[2]  hash    its publications
-- KEYS[3]  stream  its timeline
-- Returns  list    for each key the milliseconds that it lives on (-1 for ever, -2 it is not there), and what it holds
return {
  redis.call('PTTL', KEYS[1]), redis.call('HGETALL', KEYS[1]),
  redis.call('PTTL', KEYS[2]), redis.call('HGETALL', KEYS[2]),
  redis.call('PTTL', KEYS[3]), redis.call('XRANGE', KEYS[3], '-', '+'),
}
