-- Append the deliveries of all requests in flight to the inbox, in one round trip.
--
-- Called:  append_deliveries  KEYS[1]  ARGV[1..3n]
-- KEYS[1]  stream  the inbox
-- ARGV     bytes   three for each delivery: the encoded delivery, the name of the field of its body, and the body
-- Returns  integer how many entries were appended: all of them
local n = #ARGV
for i = 1, n, 3 do
  redis.call('XADD', KEYS[1], '*', 'h', ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return n / 3
