-- Begin, finish, or abort moves of alerts of one shard to another owner.
--
-- Called:  move_owner  KEYS[1..3]  ARGV[1..3]
-- KEYS     as in claim_owners.lua
-- ARGV[1]  string  begin: if the alert has the owner given and no move is pending
--                  finish: if this move is pending; the alert gets its new owner
--                  abort: if this move is pending; the alert keeps its owner
-- ARGV[2]  integer milliseconds of a period, as in claim_owners.lua
-- ARGV[3]  packed  four for each alert: the alert, the incident key it moves from, the one it moves to, and the
--                  encoded move, which is unique
-- Returns  list    the alerts for which it was done
-- A move that isn't finished within an hour expires, and the alert keeps its owner.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period = math.floor(now / 1000 / tonumber(ARGV[2]))
local hour = math.floor(now / 3600000000)
local function of(key, number)
  return key .. ':' .. string.format('%.0f', number)
end
local this, claims = of(KEYS[1], period), of(KEYS[2], hour)
local wrong = refused(this, 'hash') or refused(of(KEYS[1], period - 1), 'hash') or refused(claims, 'hash')
if wrong then
  return wrong
end
local moves = cmsgpack.unpack(ARGV[3])
local done = {}
for i = 1, #moves, 4 do
  local name, from, to, move = moves[i], moves[i + 1], moves[i + 2], moves[i + 3]
  local under_way = redis.call('HGET', KEYS[3], name)
  under_way = under_way and string.find(under_way, '^%S+ %S+ ') and under_way
  local did = under_way == move
  if ARGV[1] == 'begin' then
    local home = redis.call('HGET', this, name) or redis.call('HGET', of(KEYS[1], period - 1), name)
    did = not under_way and home == from
    if did then
      redis.call('HSET', KEYS[3], name, move)
      redis.call('PEXPIRE', KEYS[3], 3600000)
    end
  elseif did then
    redis.call('HDEL', KEYS[3], name)
    if ARGV[1] == 'finish' then
      redis.call('HSET', this, name, to)
      redis.call('PEXPIREAT', this, string.format('%.0f', (period + 3) * tonumber(ARGV[2])))
      redis.call('HSET', claims, name, string.format('%.0f', now))
      redis.call('PEXPIREAT', claims, string.format('%.0f', (hour + 2) * 3600000))
    end
  end
  if did then
    done[#done + 1] = name
  end
end
return done
