-- Read incidents of one shard.
--
-- Called:  read  KEYS[1..n]
-- KEYS     hash  the incidents' documents: v version, d packed incident
-- Returns  list  the time in microseconds, then version and packed incident of each in turn; false where there is none
local time = redis.call('TIME')
local result = {string.format('%.0f', time[1] * 1000000 + time[2])}
for i = 1, #KEYS do
  local found = redis.call('HMGET', KEYS[i], 'v', 'd')
  result[2 * i] = found[1]
  result[2 * i + 1] = found[2]
end
return result
