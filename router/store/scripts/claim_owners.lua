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
-- Returns  list    the time in microseconds, then four for each alert that had a home: its number in ARGV[3] from 0, the
--                  incident key, when it got it (microseconds; 0 for more than an hour ago), and the move that is under
--                  way (empty: none). An alert that isn't listed and has an incident key in ARGV[3] got that one now
-- Periods before the previous one are unlinked in the background: deleting that many fields would block the server.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period = math.floor(now / 1000 / tonumber(ARGV[1]))
local hour = math.floor(now / 3600000000)
local function of(key, number)
  return key .. ':' .. string.format('%.0f', number)
end
local this, before = of(KEYS[1], period), of(KEYS[1], period - 1)
local claims, earlier = of(KEYS[2], hour), of(KEYS[2], hour - 1)
local wrong = refused(this, 'hash') or refused(before, 'hash') or refused(claims, 'hash') or refused(earlier, 'hash')
if wrong then
  return wrong
end
local writes = ARGV[2] == '0'
local is_new = redis.call('EXISTS', this) == 0
local has_older = redis.call('EXISTS', before) == 1
if writes and is_new then
  redis.call('UNLINK', of(KEYS[1], period - 2))
end
local asked = cmsgpack.unpack(ARGV[3])
local given, claimed = {}, {}
local stamp = string.format('%.0f', now)
local found = {stamp}
-- Claims and moves are only of alerts that have a home.
local function since(name)
  local moment = redis.call('HGET', claims, name) or redis.call('HGET', earlier, name) or '0'
  return tonumber(moment) < now - 3600000000 and '0' or moment
end
for first = 1, #asked, 1500 do
  local last = math.min(first + 1499, #asked)
  local names = {}
  for i = first, last, 3 do
    names[#names + 1] = asked[i]
  end
  local homes = is_new and {} or redis.call('HMGET', this, unpack(names))
  local older = has_older and redis.call('HMGET', before, unpack(names)) or {}
  local at = first
  for i = 1, #names do
    local name = names[i]
    local home = homes[i] or older[i]
    local new = home or asked[at + 1]
    if writes and not homes[i] and new ~= '' then
      given[#given + 1] = name
      given[#given + 1] = new
      if not home and asked[at + 2] then
        claimed[#claimed + 1] = name
        claimed[#claimed + 1] = stamp
      end
    end
    if home then
      local size = #found
      found[size + 1] = (at - 1) / 3
      found[size + 2] = home
      found[size + 3] = since(name)
      found[size + 4] = redis.call('HGET', KEYS[3], name) or ''
    end
    at = at + 3
  end
end
for first = 1, #given, 2000 do
  redis.call('HSET', this, unpack(given, first, math.min(first + 1999, #given)))
end
for first = 1, #claimed, 2000 do
  redis.call('HSET', claims, unpack(claimed, first, math.min(first + 1999, #claimed)))
end
if writes then
  redis.call('PEXPIREAT', this, string.format('%.0f', (period + 3) * tonumber(ARGV[1])))
  redis.call('PEXPIREAT', claims, string.format('%.0f', (hour + 2) * 3600000))
end
return found
