-- Sweep a page of one shard's indexes: remove expired members, add missing ones, and return incidents without a timer.
--
-- Called:  sweep  KEYS[1..4]  ARGV[1..4]
-- KEYS[1]  zset    the shard's incidents: incident key -> when it expires, milliseconds; inf for never
-- KEYS[2]  zset    the shard's incidents with publications: incident key -> when these expire, milliseconds
-- KEYS[3]  zset    the shard's timers
-- KEYS[4]  zset    the names of the shard's incidents; see find_incidents.lua
-- ARGV[1]  string  prefix of the shard's keys
-- ARGV[2]  integer offset of the page in each index, members that never expire first
-- ARGV[3]  integer maximum number of incidents of each index to check, and to remove
-- ARGV[4]  integer 1 to return resting incidents as well, else 0
-- Returns  list    1 if there may be more, else 0; then {incident key, state} of each incident that has no timer and
--                  doesn't expire. The state is 0 if nothing is open at a vendor, 1 if something is unfinished there, and
--                  2 if the incident rests: the last worker set no timer on purpose (see release_lease.lua), and it hasn't
--                  changed since
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
-- Add a document that its index lacks, until the document expires.
local function list(key, part, member)
  local document = ARGV[1] .. part .. member
  if not redis.call('ZSCORE', key, member) and redis.call('TYPE', document).ok == 'hash' then
    local life = redis.call('PTTL', document)
    redis.call('ZADD', key, life < 0 and 'inf' or now_ms + life, member)
  end
end
-- Returns whether a worker set no timer at the incident's present version.
local function rests(member)
  local publications, incident = ARGV[1] .. 'publications:' .. member, ARGV[1] .. 'incident:' .. member
  if redis.call('TYPE', publications).ok ~= 'hash' or redis.call('TYPE', incident).ok == 'string' then
    return false
  end
  local version = redis.call('TYPE', incident).ok == 'hash' and redis.call('HGET', incident, 'v') or '0'
  return redis.call('HGET', publications, 'rest') == version
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
        local state = unfinished and 1 or 0
        if rests(member) then
          state = 2
        end
        if state < 2 or ARGV[4] == '1' then
          result[#result + 1] = {member, state}
        end
      end
    end
  end
end
return result
