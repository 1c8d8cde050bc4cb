-- Let nobody call an account before a pause that its vendor asked for is over.
--
-- Called:  pause  KEYS[1]  ARGV[1..2]
-- KEYS[1]  hash    the account's quota: left, at (microseconds), until (microseconds; the vendor asked for it)
-- ARGV[1]  integer the pause, microseconds
-- ARGV[2]  number  how many calls there may be left after it at the most: as many may then come at once
-- Returns  integer 1
local time = redis.call('TIME')
local stop = string.format('%.0f', time[1] * 1000000 + time[2] + tonumber(ARGV[1]))
local left = math.min(tonumber(redis.call('HGET', KEYS[1], 'left') or ARGV[2]), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left), 'at', stop, 'until', stop)
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[1] / 1000) + 120000)
return 1
