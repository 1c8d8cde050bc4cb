-- Remember which incident holds each of these alerts of one shard.
--
-- Called:  settle  KEYS[1..n]  ARGV[1..n+1]
-- KEYS     string  the alerts' homes
-- ARGV[1]  integer milliseconds that they are remembered
-- ARGV     string  from the second on, the incident key of each alert in turn
-- Returns  integer how many there were
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[1])
end
return #KEYS
