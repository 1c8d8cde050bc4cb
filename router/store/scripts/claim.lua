-- Take the leases of incidents of one shard that want attention now.
--
-- Called:  claim  KEYS[1..2]  ARGV[1..4]
-- KEYS[1]  zset    the shard's timers: incident key -> due, microseconds
-- KEYS[2]  zset    the shard's incidents with publications: incident key -> when these expire, milliseconds
-- ARGV[1]  string  what the shard's keys begin with
-- ARGV[2]  integer the lease, microseconds
-- ARGV[3]  integer how many incidents at the most
-- ARGV[4]  integer the time that this worker has seen here before, microseconds; 0 for none
-- Returns  list    {now, {member, fence, version, incident, publications, rechecks}, ...}; absent documents are '',
--                  rechecks are {destination, microseconds, ...}, as recheck.lua has written them; and {key, type} of
--                  each document of an incident that isn't a hash
-- A lease is the field `until` of the publications' hash (KEYS are of this shard, named by ARGV[1] and the member);
-- `fence` is the time when it was given, or one more than the one before where that is later: it never comes a second
-- time, not even after a fail-over that has lost some. The timer of a leased incident stands at the lease's end, so that a holder who
-- dies is followed by another one.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest = now + tonumber(ARGV[2])
-- The clock was set back: when a timer is due can't be known, so every incident is looked at now.
if now < tonumber(ARGV[4]) - 2000000 then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
    redis.call('ZADD', KEYS[1], string.format('%.0f', now), member)
  end
end
local result = {string.format('%.0f', now)}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
-- Which of an incident's documents isn't a hash, if any, and what it is.
local function damaged(member)
  for _, part in ipairs({'publications:', 'incident:'}) do
    local key = ARGV[1] .. part .. member
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'hash' and kind ~= 'none' then
      return {key, kind}
    end
  end
end
local function leased(member, publications)
  local lease = string.format('%.0f', longest)
  local before = tonumber(redis.call('HGET', publications, 'fence') or '0') or 0
  local fence = string.format('%.0f', math.max(before + 1, now))
  redis.call('HSET', publications, 'fence', fence, 'until', lease)
  redis.call('HDEL', publications, 'wake', 'rest')
  redis.call('PERSIST', publications)
  redis.call('ZADD', KEYS[1], lease, member)
  redis.call('ZADD', KEYS[2], 'inf', member)
  local rechecks = {}
  if redis.call('HEXISTS', publications, 'recheck') == 1 then
    local fields = redis.call('HGETALL', publications)
    for i = 1, #fields, 2 do
      if string.sub(fields[i], 1, 8) == 'recheck:' then
        rechecks[#rechecks + 1] = string.sub(fields[i], 9)
        rechecks[#rechecks + 1] = fields[i + 1]
      end
    end
  end
  local incident = redis.call('HMGET', ARGV[1] .. 'incident:' .. member, 'v', 'd')
  return {
    member, fence, incident[1] or '0', incident[2] or '', redis.call('HGET', publications, 'd') or '', rechecks,
  }
end
for _, member in ipairs(due) do
  local publications = ARGV[1] .. 'publications:' .. member
  local wrong = damaged(member)
  if wrong then
    -- It comes up again after the time of a lease: told for as long as it is there, in nobody's way.
    redis.call('ZADD', KEYS[1], string.format('%.0f', longest), member)
    result[#result + 1] = wrong
  else
    local held = tonumber(redis.call('HGET', publications, 'until') or '0') or 0
    if held > longest then
      -- No lease lasts longer than one given now: this one was given before the clock was set back.
      held = longest
      redis.call('HSET', publications, 'until', string.format('%.0f', held))
    end
    if held > now then
      redis.call('ZADD', KEYS[1], string.format('%.0f', held), member)
    else
      result[#result + 1] = leased(member, publications)
    end
  end
end
return result
