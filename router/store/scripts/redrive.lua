-- Move a dead delivery back to the inbox.
--
-- Called:  redrive  KEYS[1..2]  ARGV[1]
-- KEYS[1]  stream  the dead deliveries
-- KEYS[2]  stream  the inbox
-- ARGV[1]  string  the entry ID
-- Returns  integer 1 if moved, 0 if it no longer exists
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then
  return 0
end
local kept = {}
for i = 1, #found[1][2], 2 do
  if found[1][2][i] ~= 'reason' then
    kept[#kept + 1] = found[1][2][i]
    kept[#kept + 1] = found[1][2][i + 1]
  end
end
redis.call('XADD', KEYS[2], '*', unpack(kept))
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
