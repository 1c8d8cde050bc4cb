-- Acknowledge folded deliveries and move them from the inbox to the archive.
--
-- Called:  acknowledge  KEYS[1..2]  ARGV[1..n+1]
-- KEYS[1]  stream  the inbox
-- KEYS[2]  stream  the archive
-- ARGV[1]  string  the consumer group
-- ARGV[2..] string the entry IDs, at most as many as Lua can pass to one command (some thousands)
-- Returns  integer number of entries that still existed
local moved = 0
for i = 2, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if #found > 0 then
    redis.call('XADD', KEYS[2], '*', unpack(found[1][2]))
    moved = moved + 1
  end
end
redis.call('XACK', KEYS[1], unpack(ARGV))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
return moved
