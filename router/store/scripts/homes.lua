-- Which incident holds each of these alerts of one shard; one that none holds is given the one decided.
--
-- Called:  homes  KEYS[1..n]  ARGV[1..n+1]
-- KEYS     string  the alerts' homes
-- ARGV[1]  integer milliseconds that they are remembered
-- ARGV     string  from the second on, the incident key decided for each alert in turn; empty where it is to get none
-- Returns  list    the incident key found for each alert in turn; false where there was none
local found = {}
for i = 1, #KEYS do
  found[i] = redis.call('GET', KEYS[i])
  if not found[i] and ARGV[i + 1] ~= '' then
    redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[1])
  end
end
return found
