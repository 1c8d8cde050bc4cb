-- Count that a pending delivery is begun again, which whoever began it before did not live to finish.
--
-- Called:  suspect  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  stream  the inbox
-- KEYS[2]  hash    entry id -> how many have begun it again, and the last of them: "COUNT NAME"
-- ARGV[1]  string  the consumer group
-- ARGV[2]  string  the entry's id
-- ARGV[3]  string  the life of a worker; it counts once in a row: to try again is not to have died
-- Returns  integer how many, this one included; 0 where it is no longer pending
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
  redis.call('HDEL', KEYS[2], ARGV[2])
  return 0
end
local count, last = string.match(redis.call('HGET', KEYS[2], ARGV[2]) or '0 ', '^(%d+) (.*)$')
count = tonumber(count)
if last ~= ARGV[3] then
  count = count + 1
  redis.call('HSET', KEYS[2], ARGV[2], count .. ' ' .. ARGV[3])
  redis.call('PEXPIRE', KEYS[2], 604800000)
end
return count
