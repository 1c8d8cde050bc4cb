-- Record a pause that a vendor asked for, of an account or of one endpoint class of it.
--
-- Called:  pause_account  KEYS[1]  ARGV[1..3]
-- KEYS[1]  hash    the account's quota, as take_quota_token.lua has it
-- ARGV[1]  integer the pause, microseconds
-- ARGV[2]  number  maximum number of tokens left after a pause of the whole account
-- ARGV[3]  string  the endpoint class; empty for the whole account
-- Returns  integer 1
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local from, stop = string.format('%.0f', now), string.format('%.0f', now + tonumber(ARGV[1]))
local before = tonumber(redis.call('HGET', KEYS[1], 'until:' .. ARGV[3]) or '0')
redis.call('HSET', KEYS[1], 'from:' .. ARGV[3], from, 'until:' .. ARGV[3], stop)
if before <= now then
  -- No call is admitted during the first 30 seconds of a pause.
  redis.call('HSET', KEYS[1], 'probed', from, 'probes', 1000)
end
if ARGV[3] == '' then
  local left = math.min(tonumber(redis.call('HGET', KEYS[1], 'left') or ARGV[2]), tonumber(ARGV[2]))
  redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left), 'at', stop)
end
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), math.ceil(ARGV[1] / 1000) + 120000))
return 1
