-- Count that a pending delivery is begun again, which whoever began it before did not live to finish.
--
-- Called:  suspect  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  stream  the inbox
-- KEYS[2]  hash    entry id -> the lives that have begun it again, with spaces between them
-- ARGV[1]  string  the consumer group
-- ARGV[2]  string  the entry's id
-- ARGV[3]  string  the life of a worker; it counts once: to try again, or to be slow, is not to have died
-- Returns  integer how many, this one included; 0 where it is no longer pending
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
  redis.call('HDEL', KEYS[2], ARGV[2])
  return 0
end
local lives = redis.call('HGET', KEYS[2], ARGV[2]) or ''
local count = 0
for life in string.gmatch(lives, '%S+') do
  if life == ARGV[3] then
    return select(2, string.gsub(lives, '%S+', ''))
  end
  count = count + 1
end
redis.call('HSET', KEYS[2], ARGV[2], lives .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[2], 604800000)
return count + 1
