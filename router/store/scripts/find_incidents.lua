-- Find the incidents of one shard whose key or reference begins with a text.
--
-- Names are members of equal score, so they are sorted lexically. Each incident has one or two: `k:KEY`, and
-- `r:REFERENCE` if it has had an episode, each followed by a NUL and the other of the two.
--
-- Called:  find_incidents  KEYS[1..2]  ARGV[1..3]
-- KEYS[1]  zset    the names of the shard's incidents
-- KEYS[2]  zset    the shard's incidents: incident key -> when it expires, milliseconds; inf for never
-- ARGV[1]  string  prefix of the key
-- ARGV[2]  string  prefix of the reference; empty if the text can't be one
-- ARGV[3]  integer maximum number of incidents of each kind
-- Returns  list    key and reference of each incident; the reference is empty if it has had no episode
local time = redis.call('TIME')
local now_ms = math.floor(time[1] * 1000 + time[2] / 1000)
local most = tonumber(ARGV[3])
local result = {}
local function add(prefix, is_key)
  local found, offset = 0, 0
  while found < most do
    local names = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. prefix, '[' .. prefix .. '\255', 'LIMIT', offset, most)
    for _, name in ipairs(names) do
      local first, second = string.match(name, is_key and '^k:(.*)%z([^%z]*)$' or '^r:([^%z]*)%z(.*)$')
      local key, reference = is_key and first or second, is_key and second or first
      if tonumber(redis.call('ZSCORE', KEYS[2], key) or 0) > now_ms and found < most then
        found = found + 1
        result[#result + 1] = key
        result[#result + 1] = reference
      end
    end
    -- Skip names of expired incidents. Listing the incidents removes them.
    offset = offset + most
    if #names < most or offset >= 10000 then
      return
    end
  end
end
add('k:' .. ARGV[1], true)
if ARGV[2] ~= '' then
  add('r:' .. ARGV[2], false)
end
return result
