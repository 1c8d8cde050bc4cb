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
--   document   hash    v version, d encoded incident, e encoded events of its newest changes while it doesn't expire
--   timeline   stream  e encoded events of earlier changes
-- ARGV[2]  packed  seven for each incident:
--   member     the incident key
--   version    the version that was read, 0 for none
--   data       length of the encoded incident in bytes; 0 if it is unchanged
--   life       time to live in milliseconds, 0 for no expiry, -1 if it has none and keeps none
--   wake       true if the incident is due now
--   events     length of the encoded events in bytes; 0 if there are none
--   reference  the reference of its episode, empty if it has none; false if its names stay as they are
-- ARGV[3]  bytes   the encoded incident and the encoded events of each incident in turn
-- Returns  list    the time in microseconds; the keys of incidents that were changed meanwhile or that aren't
--                  hashes, which aren't written; and {timeline, new key} of each timeline that isn't a stream
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)
local stamp = string.format('%.0f', now)
local changes, contents = cmsgpack.unpack(ARGV[2]), ARGV[3]
local documents, timelines = ARGV[1] .. 'incident:', ARGV[1] .. 'timeline:'
local conflicts = {stamp}
local stays = false
-- Every command is written to the append-only file and replicated: members are collected, and written with one command.
local listed, first_listed, woken, names = {n = 0}, {n = 0}, {n = 0}, {n = 0}
local function add(members, score, member)
  local n = members.n
  members[n + 1], members[n + 2], members.n = score, member, n + 2
end
local function write_members(key, members)
  local count = 0
  for first = 1, members.n, 2000 do
    count = count + redis.call('ZADD', key, unpack(members, first, math.min(first + 1999, members.n)))
  end
  return count
end
local function append(member, events)
  local timeline = timelines .. member
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
-- Returns two packed lists of events as one; nil if that were too long to be written again with each change. The first
-- byte of a packed list of up to 15 elements is 0x90 and their number.
local function joined(before, events)
  if before == '' or events == '' then
    return before .. events
  end
  local count = string.byte(before) + string.byte(events) - 0x90
  if #before + #events <= 1024 and string.byte(before) >= 0x90 and string.byte(events) >= 0x90 and count < 0xa0 then
    return string.char(count) .. string.sub(before, 2) .. string.sub(events, 2)
  end
end
-- A stream takes 4 KB and outlives the document. So events are written to it together: once they are many, or when the
-- document gets a time to live.
local function write_events(document, member, before, events, life)
  local all = joined(before, events)
  if not all then
    append(member, before)
    all = events
  end
  if life <= 0 then
    return all
  end
  if all ~= '' then
    append(member, all)
  end
  if before ~= '' then
    redis.call('HDEL', document, 'e')
  end
  return ''
end
local function add_name(member, reference)
  add(names, 0, 'k:' .. member .. '\0' .. reference)
end
-- A new episode has another reference: remove that of the previous one.
local function rename(member, reference)
  local key = 'k:' .. member .. '\0'
  if redis.call('ZSCORE', KEYS[4], key .. reference) then
    return
  end
  for _, old in ipairs(redis.call('ZRANGEBYLEX', KEYS[4], '[' .. key, '[' .. key .. '\255')) do
    local before = string.sub(old, #key + 1)
    if not string.find(before, '%z') then
      -- Earlier versions had a second name for the reference.
      redis.call('ZREM', KEYS[4], old, 'r:' .. before .. '\0' .. member)
    end
  end
  add_name(member, reference)
end
local function set_document(document, version, data, events)
  if events == '' then
    redis.call('HSET', document, 'v', version, 'd', data)
  else
    redis.call('HSET', document, 'v', version, 'd', data, 'e', events)
  end
end
-- Write an incident that had a document, or that expires.
local function write(i, document, held, data, events)
  local member, life = changes[i], changes[i + 3]
  if events ~= '' or life > 0 then
    events = write_events(document, member, held[2] or '', events, life)
  end
  set_document(document, string.format('%.0f', math.max(changes[i + 1] + 1, now)), data, events)
  if life > 0 then
    redis.call('PEXPIRE', document, life)
    add(listed, now_ms + life, member)
  elseif life == 0 then
    redis.call('PERSIST', document)
    add(listed, 'inf', member)
  end
  if changes[i + 6] then
    rename(member, changes[i + 6])
  end
end
local first_ones = {}
local at = 1
for start = 1, #changes, 448 do
  -- In a storm, most incidents are new: one command is enough to see that none of 64 exists.
  local stop, keys, asked = math.min(start + 447, #changes), {}, {}
  for i = start, stop, 7 do
    keys[i] = documents .. changes[i]
    if changes[i + 1] == 0 then
      asked[#asked + 1] = keys[i]
    end
  end
  local are_absent = #asked > 0 and redis.call('EXISTS', unpack(asked)) == 0
  for i = start, stop, 7 do
    local document, before = keys[i], changes[i + 1]
    local middle = at + changes[i + 2]
    local data, events = string.sub(contents, at, middle - 1), string.sub(contents, middle, middle + changes[i + 5] - 1)
    at = middle + changes[i + 5]
    local held = before == 0 and are_absent and {} or redis.pcall('HMGET', document, 'v', 'e')
    if held.err or tonumber(held[1] or 0) ~= before then
      conflicts[#conflicts + 1] = changes[i]
    elseif data == '' then
      stays = true
    else
      if held[1] or changes[i + 3] > 0 then
        write(i, document, held, data, events)
      else
        set_document(document, stamp, data, events)
        add(first_listed, 'inf', changes[i])
        first_ones[#first_ones + 1] = i
      end
      if changes[i + 4] then
        add(woken, now, changes[i])
      end
    end
  end
end
-- The names of an incident are removed together with its member of the index: a new member has none.
local name = write_members(KEYS[1], first_listed) == #first_ones and add_name or rename
for _, i in ipairs(first_ones) do
  if changes[i + 6] then
    name(changes[i], changes[i + 6])
  end
end
write_members(KEYS[1], listed)
write_members(KEYS[2], woken)
write_members(KEYS[4], names)
if stays then
  redis.call('SET', KEYS[3], 1)
end
return conflicts
