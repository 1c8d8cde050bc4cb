-- Look at a page of what one shard lists: remove what has expired, list what is missing, and return what has no timer.
--
-- Called:  sweep  KEYS[1..4]  ARGV[1..3]
-- KEYS[1]  zset    the shard's incidents: incident key -> when it expires, milliseconds; inf for never
-- KEYS[2]  zset    the shard's incidents with publications: incident key -> when these expire, milliseconds
-- KEYS[3]  zset    the shard's timers
-- KEYS[4]  zset    the names of the shard's incidents; `find` says what they look like
-- ARGV[1]  string  what the shard's keys begin with
-- ARGV[2]  integer where the page begins in each list, those that never expire first
-- ARGV[3]  integer how many incidents of each list are looked at, and how many are removed, at the most
-- Returns  list    1 where there may be more, else 0; then {incident key, 1 if it is unfinished at a vendor, else 0} of
--                  each incident that has no timer and doesn't expire
local time = redis.call('TIME')
local now_ms = math.floor(time[1] * 1000 + time[2] / 1000)
local first, most = tonumber(ARGV[2]), tonumber(ARGV[3])
for number = 1, 2 do
  local expired = redis.call('ZRANGEBYSCORE', KEYS[number], '-inf', now_ms, 'LIMIT', 0, most)
  for _, member in ipairs(expired) do
    redis.call('ZREM', KEYS[number], member)
    local key = 'k:' .. member .. '\0'
    for _, old in ipairs(number == 1 and redis.call('ZRANGEBYLEX', KEYS[4], '[' .. key, '[' .. key .. '\255') or {}) do
      local reference = string.sub(old, #key + 1)
      if not string.find(reference, '%z') then
        redis.call('ZREM', KEYS[4], old, 'r:' .. reference .. '\0' .. member)
      end
    end
  end
end
-- List a document that its list doesn't have: as long as it lives.
local function list(key, part, member)
  local document = ARGV[1] .. part .. member
  if not redis.call('ZSCORE', key, member) and redis.call('TYPE', document).ok == 'hash' then
    local life = redis.call('PTTL', document)
    redis.call('ZADD', key, life < 0 and 'inf' or now_ms + life, member)
  end
end
local result = {0}
local seen = {}
for number = 1, 3 do
  local members = redis.call('ZREVRANGE', KEYS[number], first, first + most - 1)
  if #members == most then
    result[1] = 1
  end
  for _, member in ipairs(members) do
    if not seen[member] then
      seen[member] = true
      list(KEYS[1], 'incident:', member)
      list(KEYS[2], 'publications:', member)
      local lives = redis.call('ZSCORE', KEYS[1], member) == 'inf'
      local unfinished = redis.call('ZSCORE', KEYS[2], member) == 'inf'
      if (lives or unfinished) and not redis.call('ZSCORE', KEYS[3], member) then
        result[#result + 1] = {member, unfinished and 1 or 0}
      end
    end
  end
end
return result
