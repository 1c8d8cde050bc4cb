-- Which incident holds each of these alerts of one shard; one that none holds is given the one decided.
--
-- Called:  homes  KEYS[1]  ARGV[1..3]
-- KEYS[1]  string  what the keys of the shard's homes begin with. There is one for each period:
--   homes      hash    alert -> incident key
-- ARGV[1]  integer milliseconds of a period: an alert is remembered until the end of the one after it came
-- ARGV[2]  integer 1 where the alerts move to the incidents decided, whatever held them before; else 0
-- ARGV[3]  packed  two for each alert: the alert, and the incident decided for it; empty where it is to get none
-- Returns  list    alert and incident key in turn, of those that had one
-- What was written two periods ago is let go beside the server's work: so many fields at once would take it a while.
local time = redis.call('TIME')
local period = math.floor((time[1] * 1000 + time[2] / 1000) / tonumber(ARGV[1]))
local function of(number)
  return KEYS[1] .. ':' .. string.format('%.0f', number)
end
local this, before = of(period), of(period - 1)
if redis.call('EXISTS', this) == 0 then
  redis.call('UNLINK', of(period - 2))
end
local two_periods = redis.call('EXISTS', before) == 1
local asked = cmsgpack.unpack(ARGV[3])
local found = {}
local given = {}
local function give()
  if #given > 0 then
    redis.call('HSET', this, unpack(given))
    given = {}
  end
end
for first = 1, #asked, 1000 do
  local names = {}
  for i = first, math.min(first + 999, #asked), 2 do
    names[#names + 1] = asked[i]
  end
  local homes = redis.call('HMGET', this, unpack(names))
  local older = two_periods and redis.call('HMGET', before, unpack(names)) or {}
  for i, name in ipairs(names) do
    local home = homes[i] or older[i]
    local decided = asked[first + 2 * i - 1]
    if home then
      found[#found + 1] = name
      found[#found + 1] = home
    end
    if decided ~= '' and (ARGV[2] == '1' or not home) then
      given[#given + 1] = name
      given[#given + 1] = decided
    end
  end
  give()
end
redis.call('PEXPIREAT', this, string.format('%.0f', (period + 3) * tonumber(ARGV[1])))
return found
