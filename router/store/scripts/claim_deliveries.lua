-- Take the leases of subjects of one shard that have events to deliver.
--
-- Called:  claim_deliveries  KEYS[1]  ARGV[1..3]
-- KEYS[1]  zset    subjects with events to deliver -> due, microseconds
-- ARGV[1]  string  what the keys of the subjects' notifications begin with
-- ARGV[2]  integer the lease, microseconds
-- ARGV[3]  integer how many subjects at most
-- Returns  list    {now, {subject, fence, sequence, progress}, ...}; progress is '' if nothing was delivered yet
-- A lease is the field `until` of the subject's notifications; `fence` is a number that only grows. The timer of a leased
-- subject stands at the end of the lease, so that another worker takes over from one that died.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local lease = string.format('%.0f', now + tonumber(ARGV[2]))
local result = {string.format('%.0f', now)}
-- A lease that ends later than one taken now was given before the clock was set back.
local function held_until(key)
  local held = tonumber(redis.call('HGET', key, 'until') or '0') or 0
  return math.min(held, now + tonumber(ARGV[2]))
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local key = ARGV[1] .. member
  local kind = redis.call('TYPE', key).ok
  local held = kind == 'hash' and held_until(key) or 0
  if kind ~= 'hash' then
    -- It has expired, or is damaged: there is nothing to deliver.
    redis.call('ZREM', KEYS[1], member)
  elseif held > now then
    redis.call('ZADD', KEYS[1], string.format('%.0f', held), member)
  else
    local before = tonumber(redis.call('HGET', key, 'fence') or '0') or 0
    local fence = string.format('%.0f', math.max(before + 1, now))
    redis.call('HSET', key, 'fence', fence, 'until', lease)
    redis.call('ZADD', KEYS[1], lease, member)
    local fields = redis.call('HMGET', key, 'seq', 'd')
    result[#result + 1] = {member, fence, fields[1] or '0', fields[2] or ''}
  end
end
return result
