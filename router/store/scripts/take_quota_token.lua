-- Take a token from an account's quota, which all workers share, or return when one is available.
--
-- Called:  take_quota_token  KEYS[1]  ARGV[1..3]
-- KEYS[1]  hash    the account's quota: left, at, and for each pause from:ENDPOINT, until:ENDPOINT (microseconds), and
--                  probed, probes (calls admitted during the pause, and since when)
-- ARGV[1]  number  tokens per minute, which is also the burst
-- ARGV[2]  number  share of the tokens reserved for more urgent calls, 0 to 1
-- ARGV[3]  string  the endpoint class of the call
-- Returns  list    {0 if taken, else the microseconds until a token is available; 1 if a pause is the reason, else 0}
--
-- A pause applies to one endpoint class, or to all (an empty ENDPOINT). It never blocks the most urgent calls completely
-- (ARGV[2] is 0): four such calls are admitted every 30 seconds, which is one resolution.
-- Stored times aren't trusted: if the server's clock was set back, a pause lasts as long as the vendor
-- asked for, counted from now, and the quota stays as full as it was.
local PROBE_WINDOW, PROBES = 30000000, 4
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most, floor = tonumber(ARGV[1]), tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'left', 'at', 'probed', 'probes')

local function paused_for(endpoint)
  local span = redis.call('HMGET', KEYS[1], 'from:' .. endpoint, 'until:' .. endpoint)
  if not span[2] then
    return 0
  end
  local from, stop = tonumber(span[1]), tonumber(span[2])
  if now < from then
    stop = now + (stop - from)
    redis.call('HSET', KEYS[1], 'from:' .. endpoint, string.format('%.0f', now),
      'until:' .. endpoint, string.format('%.0f', stop))
  elseif stop <= now then
    redis.call('HDEL', KEYS[1], 'from:' .. endpoint, 'until:' .. endpoint)
  end
  return math.max(0, stop - now)
end

local pause = math.max(paused_for(''), ARGV[3] ~= '' and paused_for(ARGV[3]) or 0)
if pause > 0 then
  if floor > 0 then
    return {math.ceil(pause), 1}
  end
  local probed, probes = tonumber(held[3] or '0'), tonumber(held[4] or '0')
  if now < probed or now >= probed + PROBE_WINDOW then
    probed, probes = now, 0
  end
  if probes >= PROBES then
    return {math.ceil(math.min(pause, probed + PROBE_WINDOW - now)), 1}
  end
  redis.call('HSET', KEYS[1], 'probed', string.format('%.0f', probed), 'probes', probes + 1)
end

local left = tonumber(held[1] or ARGV[1])
if pause > 0 then
  -- The bucket refills after the pause: `at` is its end.
  redis.call('HSET', KEYS[1], 'left', string.format('%.6f', math.max(0, left - 1)))
  return {0, 0}
end
left = math.min(most, left + math.max(0, now - tonumber(held[2] or now)) * most / 60000000)
-- A small quota holds less than the reserved share plus one token. Admit every call when it is full; some would wait forever.
local least = math.min(1 + floor * most, most)
local wait = 0
if left >= least then
  left = left - 1
else
  wait = math.ceil((least - left) * 60000000 / most)
end
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left), 'at', string.format('%.0f', now))
if redis.call('PTTL', KEYS[1]) < 120000 then
  redis.call('PEXPIRE', KEYS[1], 120000)
end
return {wait, 0}
