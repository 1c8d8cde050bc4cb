-- Unfreeze publishing, or reset the publishing guard at all pages, and record who did it.
--
-- Called:  resume_publishing  KEYS[1..3]  ARGV[1..3]
-- KEYS[1]  hash    the freeze and the guard, encoded; the guard of a page is a field GUARD/PAGE
-- KEYS[2]  zset    automatic posts -> when, microseconds
-- KEYS[3]  zset    components touched automatically -> when, microseconds
-- ARGV[1]  string  the field to remove
-- ARGV[2]  string  the field of the guard
-- ARGV[3]  bytes   who did it, when, and why, encoded
-- Returns  integer how many fields were removed; 0 if there was nothing to end
local removed = redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[1] == ARGV[2] then
  local prefix = ARGV[2] .. '/'
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, #prefix) == prefix then
      removed = removed + redis.call('HDEL', KEYS[1], field)
    end
  end
  redis.call('DEL', KEYS[2], KEYS[3])
end
if removed > 0 then
  redis.call('HSET', KEYS[1], 'ended:' .. ARGV[1], ARGV[3])
end
return removed
