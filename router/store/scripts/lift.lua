-- End every pause of an account.
--
-- Called:  lift  KEYS[1]
-- KEYS[1]  hash    the account's quota, as take.lua has it
-- Returns  integer how many pauses there were, those that are over included
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
