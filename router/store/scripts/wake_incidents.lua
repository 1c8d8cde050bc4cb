-- Make incidents of one shard due now. Incidents that are leased now become due again when the lease ends.
--
-- Called:  wake_incidents  KEYS[1]  ARGV[1..]
-- KEYS[1]  zset    the shard's timers: incident key -> due, microseconds
-- ARGV[1]  string  prefix of the shard's keys
-- ARGV[2..] string incident keys
-- Returns  integer number of incidents
-- The holder of a lease began earlier and sets the timer when it is done: it then finds the field `wake`.
for i = 2, #ARGV do
  local publications = ARGV[1] .. 'publications:' .. ARGV[i]
  if redis.call('TYPE', publications).ok == 'hash' then
    redis.call('HSET', publications, 'wake', 1)
    redis.call('HDEL', publications, 'rest')
  end
  redis.call('ZADD', KEYS[1], 0, ARGV[i])
end
return #ARGV - 1
