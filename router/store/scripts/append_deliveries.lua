-- Append the deliveries of all requests in flight to the inbox, in one round trip.
--
-- Called:  append_deliveries  KEYS[1]  ARGV[1..2n]
-- KEYS[1]  stream  the inbox
-- ARGV     pairs   encoded delivery, body as received
-- Returns  integer how many entries were appended: all of them
local n = #ARGV
for i = 1, n, 2 do
  redis.call('XADD', KEYS[1], '*', 'h', ARGV[i], 'b', ARGV[i + 1])
end
return n / 2
