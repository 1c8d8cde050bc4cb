-- Take the leases of due incidents of one shard.
--
-- Called:  claim_leases  KEYS[1..2]  ARGV[1..4]
-- KEYS[1]  zset    the shard's timers: incident key -> due, microseconds
-- KEYS[2]  zset    the shard's incidents with publications: incident key -> when these expire, milliseconds
-- ARGV[1]  string  prefix of the shard's keys
-- ARGV[2]  integer duration of the lease, microseconds
-- ARGV[3]  integer maximum number of incidents
-- ARGV[4]  integer the newest time that this worker has seen, microseconds; 0 for none
-- Returns  list    {now, {member, fence, version, incident, publications, rechecks, announced}, ...}; absent documents
--                  are '', rechecks are {destination, microseconds, ...}, as recheck_publications.lua has written them;
--                  announced is what append_events.lua has written; and {key, type} of each document of an incident
--                  that isn't a hash
-- A lease is the field `until` of the publications' hash (KEYS are of this shard, named by ARGV[1] and the member);
-- `fence` is the time when it was granted, or the previous fence plus one if that is later: a fence is never issued twice,
-- not even after a failover that lost writes. The timer of a leased incident is the end of the lease, so that
-- another worker takes over if the holder dies.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest = now + tonumber(ARGV[2])
-- The clock was set back, so it is unknown when timers are due. Make every incident due now.
if now < tonumber(ARGV[4]) - 2000000 then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
    redis.call('ZADD', KEYS[1], string.format('%.0f', now), member)
  end
end
local result = {string.format('%.0f', now)}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
-- Returns the document of an incident that isn't a hash, and its type.
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
  local announced = redis.pcall('HGET', ARGV[1] .. 'notifications:' .. member, 's')
  return {
    member, fence, incident[1] or '0', incident[2] or '', redis.call('HGET', publications, 'd') or '', rechecks,
    type(announced) == 'string' and announced or '',
  }
end
for _, member in ipairs(due) do
  local publications = ARGV[1] .. 'publications:' .. member
  local wrong = damaged(member)
  if wrong then
    -- Make it due again after the duration of a lease, so that it is reported until it is repaired.
    redis.call('ZADD', KEYS[1], string.format('%.0f', longest), member)
    result[#result + 1] = wrong
  else
    local held = tonumber(redis.call('HGET', publications, 'until') or '0') or 0
    if held > longest then
      -- A lease that ends later than one granted now was granted before the clock was set back.
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
