-- Write incidents of one shard whose versions are unchanged since they were read, and set their timers.
--
-- The new version is the time in microseconds, or the old version plus one if that is later. A version is never used for
-- two contents, not even after a failover that lost writes or after the incident has expired.
--
-- Called:  commit_incidents  KEYS[1..4]  ARGV[1..3]
-- KEYS[1]  zset    the shard's incidents: incident key -> when it expires, milliseconds; inf for never
-- KEYS[2]  zset    the shard's timers
-- KEYS[3]  string  the shard's mark: written if an incident is unchanged, so that replicas have a write to acknowledge
-- KEYS[4]  zset    the names of the shard's incidents, in lexical order; see find_incidents.lua
-- ARGV[1]  string  prefix of the shard's keys; each incident has:
--   document   hash    v version, d encoded incident
--   timeline   stream  e encoded events
-- ARGV[2]  packed  seven for each incident:
--   member     the incident key
--   version    the version that was read, 0 for none
--   data       length of the encoded incident in bytes; 0 if it is unchanged
--   life       time to live in milliseconds, 0 for no expiry
--   wake       true if the incident is due now
--   events     length of the encoded events in bytes; 0 if there are none
--   reference  the reference of its episode, empty if it has none; false if it isn't indexed by name
-- ARGV[3]  bytes   the encoded incident and the encoded events of each incident in turn
-- Returns  list    the time in microseconds; the keys of incidents that were changed meanwhile or that aren't
--                  hashes, which aren't written; and {timeline, new key} of each timeline that isn't a stream
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)
local changes = cmsgpack.unpack(ARGV[2])
local at = 1
local function taken(length)
  at = at + length
  return string.sub(ARGV[3], at - length, at - 1)
end
local function name(member, reference)
  local key = 'k:' .. member .. '\0'
  if redis.call('ZSCORE', KEYS[4], key .. reference) then
    return
  end
  -- A new episode: remove the reference of the previous one.
  for _, old in ipairs(redis.call('ZRANGEBYLEX', KEYS[4], '[' .. key, '[' .. key .. '\255')) do
    local before = string.sub(old, #key + 1)
    if not string.find(before, '%z') then
      redis.call('ZREM', KEYS[4], old, 'r:' .. before .. '\0' .. member)
    end
  end
  redis.call('ZADD', KEYS[4], 0, key .. reference)
  if reference ~= '' then
    redis.call('ZADD', KEYS[4], 0, 'r:' .. reference .. '\0' .. member)
  end
end
local listed = {}
local woken = {}
local stays = false
local conflicts = {string.format('%.0f', now)}
for i = 1, #changes, 7 do
  local member, life = changes[i], changes[i + 3]
  local data, events = taken(changes[i + 2]), taken(changes[i + 5])
  local document = ARGV[1] .. 'incident:' .. member
  local version = redis.pcall('HGET', document, 'v')
  if type(version) == 'table' or tonumber(version or '0') ~= changes[i + 1] then
    conflicts[#conflicts + 1] = member
  elseif data == '' then
    stays = true
  else
    redis.call('HSET', document, 'v', string.format('%.0f', math.max(changes[i + 1] + 1, now)), 'd', data)
    if life > 0 then
      redis.call('PEXPIRE', document, life)
      listed[#listed + 1] = now_ms + life
    else
      if version then
        redis.call('PERSIST', document)
      end
      listed[#listed + 1] = 'inf'
    end
    listed[#listed + 1] = member
    if changes[i + 6] then
      name(member, changes[i + 6])
    end
    if changes[i + 4] then
      woken[#woken + 1] = now
      woken[#woken + 1] = member
    end
    if events ~= '' then
      local timeline = ARGV[1] .. 'timeline:' .. member
      if type(redis.pcall('XADD', timeline, 'MAXLEN', '~', 1000, '*', 'e', events)) == 'table' then
        -- Not a stream: move it aside for an operator.
        local aside = ARGV[1] .. 'damaged:timeline:' .. member
        redis.call('RENAME', timeline, aside)
        redis.call('XADD', timeline, 'MAXLEN', '~', 1000, '*', 'e', events)
        conflicts[#conflicts + 1] = {timeline, aside}
      end
      if redis.call('PTTL', timeline) < 2505600000 then
        redis.call('PEXPIRE', timeline, 2592000000)
      end
    end
  end
end
-- Add many members with one command: every command is written to the append-only file and replicated.
for first = 1, #listed, 2000 do
  redis.call('ZADD', KEYS[1], unpack(listed, first, math.min(first + 1999, #listed)))
end
for first = 1, #woken, 2000 do
  redis.call('ZADD', KEYS[2], unpack(woken, first, math.min(first + 1999, #woken)))
end
if stays then
  redis.call('SET', KEYS[3], 1)
end
return conflicts
