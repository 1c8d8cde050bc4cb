-- Count that processing of a pending delivery starts again, after a worker died while processing it.
--
-- Called:  record_redelivery  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  stream  the inbox
-- KEYS[2]  hash    entry ID -> the worker processes that started it again, separated by spaces
-- ARGV[1]  string  the consumer group
-- ARGV[2]  string  the entry ID
-- ARGV[3]  string  the worker process; it counts once, because a retry or a slow worker isn't a crash
-- Returns  integer number of processes, including this one; 0 if the entry is no longer pending
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
