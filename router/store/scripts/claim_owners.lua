-- Return the owner of each of these alerts of one shard: the incident it belongs to. Set the owner if there is none.
--
-- Called:  claim_owners  KEYS[1..3]  ARGV[1..3]
-- KEYS[1]  string  prefix of the shard's owner keys, one for each period:
--   homes      hash    alert -> incident key
-- KEYS[2]  string  prefix of the shard's claim keys, one for each hour:
--   claims     hash    alert -> when it got its owner, microseconds
-- KEYS[3]  hash    the shard's moves: alert -> the pending move, see move_owner.lua
-- ARGV[1]  integer milliseconds of a period: an owner is kept until the end of the period after the latest message
-- ARGV[2]  integer 1 to write nothing, else 0
-- ARGV[3]  packed  three for each alert: the alert, the incident key that becomes its owner if it has none (empty: none),
--                  and true if the claim is to be kept
-- Returns  list    four for each alert that has a home: the alert, the incident key, when it got it (microseconds; 0 for
--                  more than an hour ago), the move that is under way (empty: none)
-- Periods before the previous one are unlinked in the background: deleting that many fields would block the server.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period = math.floor(now / 1000 / tonumber(ARGV[1]))
local hour = math.floor(now / 3600000000)
local function of(key, number)
  return key .. ':' .. string.format('%.0f', number)
end
local this, before = of(KEYS[1], period), of(KEYS[1], period - 1)
local wrong = refused(this, 'hash') or refused(before, 'hash') or refused(of(KEYS[2], hour), 'hash')
  or refused(of(KEYS[2], hour - 1), 'hash')
if wrong then
  return wrong
end
local writes = ARGV[2] == '0'
if writes and redis.call('EXISTS', this) == 0 then
  redis.call('UNLINK', of(KEYS[1], period - 2))
end
local function all(key, names)
  return redis.call('EXISTS', key) == 1 and redis.call('HMGET', key, unpack(names)) or {}
end
local asked = cmsgpack.unpack(ARGV[3])
local found, given, claimed = {}, {}, {}
local stamp = string.format('%.0f', now)
for first = 1, #asked, 1500 do
  local names = {}
  for i = first, math.min(first + 1499, #asked), 3 do
    names[#names + 1] = asked[i]
  end
  local homes, older = all(this, names), all(before, names)
  local claims, earlier = all(of(KEYS[2], hour), names), all(of(KEYS[2], hour - 1), names)
  local moves = all(KEYS[3], names)
  for i, name in ipairs(names) do
    local at = first + 3 * (i - 1)
    local home = homes[i] or older[i]
    local since = claims[i] or earlier[i] or '0'
    if tonumber(since) < now - 3600000000 then
      since = '0'
    end
    if writes and not homes[i] and (home or asked[at + 1] ~= '') then
      if not home then
        home = asked[at + 1]
        if asked[at + 2] then
          since = stamp
          claimed[#claimed + 1] = name
          claimed[#claimed + 1] = stamp
        end
      end
      given[#given + 1] = name
      given[#given + 1] = home
    end
    if home then
      for _, value in ipairs({name, home, since, moves[i] or ''}) do
        found[#found + 1] = value
      end
    end
  end
end
for first = 1, #given, 1000 do
  redis.call('HSET', this, unpack(given, first, math.min(first + 999, #given)))
end
for first = 1, #claimed, 1000 do
  redis.call('HSET', of(KEYS[2], hour), unpack(claimed, first, math.min(first + 999, #claimed)))
end
if writes then
  redis.call('PEXPIREAT', this, string.format('%.0f', (period + 3) * tonumber(ARGV[1])))
  redis.call('PEXPIREAT', of(KEYS[2], hour), string.format('%.0f', (hour + 2) * 3600000))
end
return found
