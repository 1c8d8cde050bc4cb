-- Have incidents of one shard looked at now, also those that somebody looks at just now: these once more, after that.
--
-- Called:  wake  KEYS[1]  ARGV[1..]
-- KEYS[1]  zset    the shard's timers: incident key -> due, microseconds
-- ARGV[1]  string  what the shard's keys begin with
-- ARGV[2..] string incident keys
-- Returns  integer how many there are
-- Whoever holds the lease began before this, and sets the timer anew when it is done: it finds the field `wake` then.
for i = 2, #ARGV do
  local publications = ARGV[1] .. 'publications:' .. ARGV[i]
  if redis.call('TYPE', publications).ok == 'hash' then
    redis.call('HSET', publications, 'wake', 1)
    redis.call('HDEL', publications, 'rest')
  end
  redis.call('ZADD', KEYS[1], 0, ARGV[i])
end
return #ARGV - 1
