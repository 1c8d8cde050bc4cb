-- Find the incidents of one shard whose key or reference begins with a text.
--
-- Names are members of equal score, so they are sorted lexically: `k:KEY`, a NUL, and the reference, which is empty if the
-- incident has had no episode. References are looked for in all names: operators ask rarely, and an index of references
-- would cost every new incident as much as that of keys.
--
-- Called:  find_incidents  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  zset    the names of the shard's incidents
-- KEYS[2]  zset    the shard's incidents: incident key -> when it expires, milliseconds; inf for never
-- ARGV[1]  string  prefix of the key
-- ARGV[2]  string  prefix of the reference, of letters, digits, and hyphens; empty if the text can't be one
-- ARGV[3]  integer maximum number of incidents of each kind
-- Returns  list    key and reference of each incident; the reference is empty if it has had no episode
local time = redis.call('TIME')
local now_ms = math.floor(time[1] * 1000 + time[2] / 1000)
local most = tonumber(ARGV[3])
local result = {}
-- Returns whether the incident of a name exists, and adds it. Listing the incidents removes the names of expired ones.
local function add(name)
  local key, reference = string.match(name, '^k:(.*)%z([^%z]*)$')
  if not key or tonumber(redis.call('ZSCORE', KEYS[2], key) or 0) <= now_ms then
    return 0
  end
  result[#result + 1] = key
  result[#result + 1] = reference
  return 1
end
local function add_by_key(prefix)
  local found, offset = 0, 0
  repeat
    local names = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. prefix, '[' .. prefix .. '\255', 'LIMIT', offset, most)
    for _, name in ipairs(names) do
      found = found + (found < most and add(name) or 0)
    end
    offset = offset + most
  until found >= most or #names < most or offset >= 10000
end
local function add_by_reference(prefix)
  local found, cursor = 0, '0'
  repeat
    local page = redis.call('ZSCAN', KEYS[1], cursor, 'MATCH', 'k:*\0' .. prefix .. '*', 'COUNT', 1000)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      -- A key may contain a NUL, and what looks like a reference.
      if found < most and string.find(page[2][i], '%z' .. string.gsub(prefix, '%-', '%%-') .. '[^%z]*$') then
        found = found + add(page[2][i])
      end
    end
  until cursor == '0' or found >= most
end
add_by_key('k:' .. ARGV[1])
if ARGV[2] ~= '' then
  add_by_reference(ARGV[2])
end
return result
