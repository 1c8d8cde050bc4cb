-- Write incidents of one shard whose versions are still as they were read, and set their timers.
--
-- Called:  commit  KEYS[1] KEYS[2..2n+1]  ARGV[1..6n]
-- KEYS[1]      zset  the shard's timers
-- KEYS[2..]    two for each incident:
--   document   hash    v version, d packed incident
--   timeline   stream  e packed, what happened to it
-- ARGV, six for each incident:
--   member     the incident key, as member of the timers
--   version    the version that was read, 0 for none
--   data       the packed incident
--   life       milliseconds to live, 0 for ever
--   wake       1 where the incident wants attention now, else 0
--   events     packed, what is told of the change; empty for nothing
-- Returns      list of the positions (from 0) of the incidents that somebody else had changed: not written
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local conflicts = {}
for i = 2, #KEYS, 2 do
  local base = (i - 2) * 3
  local version = redis.call('HGET', KEYS[i], 'v') or '0'
  if version ~= ARGV[base + 2] then
    conflicts[#conflicts + 1] = (i - 2) / 2
  else
    redis.call('HSET', KEYS[i], 'v', version + 1, 'd', ARGV[base + 3])
    local life = tonumber(ARGV[base + 4])
    if life > 0 then
      redis.call('PEXPIRE', KEYS[i], life)
    else
      redis.call('PERSIST', KEYS[i])
    end
    if ARGV[base + 5] == '1' then
      redis.call('ZADD', KEYS[1], now, ARGV[base + 1])
    end
    if ARGV[base + 6] ~= '' then
      redis.call('XADD', KEYS[i + 1], 'MAXLEN', '~', 1000, '*', 'e', ARGV[base + 6])
      redis.call('PEXPIRE', KEYS[i + 1], 2592000000)
    end
  end
end
return conflicts
