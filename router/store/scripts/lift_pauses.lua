-- Lift all pauses of an account.
--
-- Called:  lift_pauses  KEYS[1]
-- KEYS[1]  hash    the account's quota, as take_quota_token.lua has it
-- Returns  integer number of pauses, including those that have ended
local held = redis.call('HKEYS', KEYS[1])
local lifted = 0
for _, field in ipairs(held) do
  local endpoint = string.match(field, '^until:(.*)$')
  if endpoint then
    redis.call('HDEL', KEYS[1], field, 'from:' .. endpoint)
    lifted = lifted + 1
  end
end
redis.call('HDEL', KEYS[1], 'probed', 'probes')
return lifted
