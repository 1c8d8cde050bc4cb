-- Read a page of a stream, limited in entries and bytes: entries may hold bodies of many MiB.
--
-- Called:  read_page  KEYS[1]  ARGV[1..5]
-- KEYS[1]  stream
-- ARGV[1]  string  XRANGE for the oldest first, XREVRANGE for the newest first
-- ARGV[2]  string  where to begin, as that command expects it
-- ARGV[3]  string  where to end
-- ARGV[4]  integer maximum number of entries
-- ARGV[5]  integer size in bytes after which to stop; the first entry is always read
-- Returns  list    {1 if there may be more, 0 if not}, then for each entry {id, {field, value, ...}}
local found = {{1}}
local begin = ARGV[2]
local bytes = 0
while #found <= tonumber(ARGV[4]) do
  local entry = redis.call(ARGV[1], KEYS[1], begin, ARGV[3], 'COUNT', 1)[1]
  if not entry then
    found[1] = {0}
    break
  end
  for _, text in ipairs(entry[2]) do
    bytes = bytes + #text
  end
  if #found > 1 and bytes > tonumber(ARGV[5]) then
    break
  end
  found[#found + 1] = entry
  begin = '(' .. entry[1]
end
return found
