-- List the active pauses of an account.
--
-- Called:  list_pauses  KEYS[1]
-- KEYS[1]  hash    the account's quota, as take_quota_token.lua has it
-- Returns  list    pairs of endpoint class (empty for the whole account) and remaining microseconds
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #held, 2 do
  local endpoint = string.match(held[i], '^until:(.*)$')
  if endpoint and tonumber(held[i + 1]) > now then
    found[#found + 1] = endpoint
    found[#found + 1] = math.ceil(tonumber(held[i + 1]) - now)
  end
end
return found
