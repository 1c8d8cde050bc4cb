-- Return whether there is an alert storm, and which queued episodes can open.
--
-- Called:  storm_state  KEYS[1..3]  ARGV[1..2]
-- KEYS[1]  zset    admitted episodes -> when, microseconds
-- KEYS[2]  zset    queued episodes -> their rank
-- KEYS[3]  hash    the storm: since, last (when the queue was last not empty), microseconds; absent without a storm
-- ARGV[1]  integer maximum number of admitted episodes
-- ARGV[2]  integer window, microseconds: a storm ends when the queue has been empty for as long
-- Returns  list    {queue length, since (0: no storm), 1 if it has just begun, 1 if it has just ended,
--                  the episodes that can open ...}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
local past = string.format('%.0f', tonumber(now) - tonumber(ARGV[2]))
-- Later times were written before the clock was set back. Treat them as now.
for _, episode in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  redis.call('ZADD', KEYS[1], now, episode)
end
if tonumber(redis.call('HGET', KEYS[3], 'last') or '0') > tonumber(now) then
  redis.call('HSET', KEYS[3], 'last', now)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', past)
local waiting = redis.call('ZCARD', KEYS[2])
local began, ended = 0, 0
if waiting > 0 then
  began = redis.call('HSETNX', KEYS[3], 'since', now)
  redis.call('HSET', KEYS[3], 'last', now)
elseif tonumber(redis.call('HGET', KEYS[3], 'last') or now) <= tonumber(past) then
  ended = redis.call('DEL', KEYS[3])
end
local result = {waiting, redis.call('HGET', KEYS[3], 'since') or '0', began, ended}
local room = tonumber(ARGV[1]) - redis.call('ZCARD', KEYS[1])
if room > 0 then
  for _, episode in ipairs(redis.call('ZRANGE', KEYS[2], 0, room - 1)) do
    result[#result + 1] = episode
  end
end
return result
