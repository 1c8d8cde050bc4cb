-- Learn whether there is an alert storm, and whose turn it is to open.
--
-- Called:  storm  KEYS[1..3]  ARGV[1..2]
-- KEYS[1]  zset    episodes let in -> when, microseconds
-- KEYS[2]  zset    episodes that wait -> their turn
-- KEYS[3]  hash    the storm: since, last (when one was last seen to wait), microseconds; absent where there is none
-- ARGV[1]  integer how many may be let in
-- ARGV[2]  integer in how long, microseconds: a storm is over when none has waited for as long
-- Returns  list    {how many wait, since (0: no storm), 1 where it has just begun, 1 where it has just ended,
--                  the episodes that there is room for ...}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
local past = string.format('%.0f', tonumber(now) - tonumber(ARGV[2]))
-- What is later than now was written before the clock was set back: it is as old as now.
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
