-- Read all keys of one incident atomically.
--
-- Called:  copy_incident  KEYS[1..3]
-- KEYS[1]  hash    the incident
-- KEYS[2]  hash    its publications
-- KEYS[3]  stream  its timeline
-- Returns  list    for each key its time to live in milliseconds (-1 no expiry, -2 no such key), and its content
return {
  redis.call('PTTL', KEYS[1]), redis.call('HGETALL', KEYS[1]),
  redis.call('PTTL', KEYS[2]), redis.call('HGETALL', KEYS[2]),
  redis.call('PTTL', KEYS[3]), redis.call('XRANGE', KEYS[3], '-', '+'),
}
