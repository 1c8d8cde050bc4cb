-- Take one call out of an account's quota, which all workers share; or learn when there will be one.
--
-- Called:  take  KEYS[1]  ARGV[1..2]
-- KEYS[1]  hash    the account's quota: left, at (microseconds), until (microseconds; the vendor asked for it)
-- ARGV[1]  number  how many calls a minute there are; as many may come at once
-- ARGV[2]  number  the share of them that has to be left over for what is more urgent, 0 to 1
-- Returns  integer 0 taken, else the microseconds until there may be one
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most = tonumber(ARGV[1])
local held = redis.call('HMGET', KEYS[1], 'left', 'at', 'until')
local asked = tonumber(held[3] or '0')
if asked > now then
  return math.ceil(asked - now)
end
local left = tonumber(held[1] or ARGV[1])
left = math.min(most, left + (now - tonumber(held[2] or now)) * most / 60000000)
local least = 1 + tonumber(ARGV[2]) * most
local wait = 0
if left >= least then
  left = left - 1
else
  wait = math.ceil((least - left) * 60000000 / most)
end
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], 120000)
return wait
