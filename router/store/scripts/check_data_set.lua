-- Compare the data set with what a process remembers of it, and record that the process has seen it.
--
-- A data set has a random ID. Each process writes its own mark, a time that only grows, and remembers both:
--   no ID, and the process remembers one       vanished: FLUSHALL, or a server that started empty
--   another ID, not known as a successor       replaced: another backup, or another process found no data first
--   the same ID, and an older mark             went_back: a backup, or a failover that lost the last writes
--   no process has written for long            unattended: the data may be from a backup
--   no ID, and the process remembers none      new
-- After a loss the data set gets a new ID, and `lost:ID` records that it follows the lost ID, so that a second process
-- that detects the same loss doesn't begin again.
--
-- Called:  check_data_set  KEYS[1..3]  ARGV[1..6]
-- KEYS[1]  hash    the marker: id, since (microseconds, 0: reconciled), reason, lost:ID, restored, saved_at (the newest mark in it then), read:NAME, problem:NAME
-- KEYS[2]  hash    process -> its mark, microseconds
-- KEYS[3]  hash    the orphans
-- ARGV[1]  string  the process
-- ARGV[2]  string  the ID that it remembers; empty for none
-- ARGV[3]  integer the mark that it remembers, microseconds; 0 for none
-- ARGV[4]  string  a random ID, for a data set that needs one
-- ARGV[5]  integer microseconds without a mark after which the data set counts as unattended
-- ARGV[6]  integer 1 to reconcile a new data set as well
-- Returns  list    the mark, now, the number of orphans, why a reconciliation begins (or ''),
--                  and the fields and values of the marker
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local id = redis.call('HGET', KEYS[1], 'id')
local mark = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
local why = ''
if not id then
  why = ARGV[2] ~= '' and 'vanished' or 'new'
  id = ARGV[4]
elseif redis.call('HDEL', KEYS[1], 'restored') == 1 then
  why = 'restored'
  id = ARGV[4]
elseif ARGV[2] == '' then
  local newest = 0
  for _, one in ipairs(redis.call('HVALS', KEYS[2])) do
    newest = math.max(newest, tonumber(one))
  end
  if newest > 0 and now - newest > tonumber(ARGV[5]) then
    why = 'unattended'
  end
elseif ARGV[2] ~= id then
  if redis.call('HEXISTS', KEYS[1], 'lost:' .. ARGV[2]) == 0 then
    why = 'replaced'
  end
elseif mark < tonumber(ARGV[3]) then
  why = 'went_back'
  id = ARGV[4]
end
if why ~= '' then
  redis.call('HSET', KEYS[1], 'id', id)
  if ARGV[2] ~= '' and ARGV[2] ~= id then
    redis.call('HSET', KEYS[1], 'lost:' .. ARGV[2], string.format('%.0f', now))
  end
end
if why == 'new' and ARGV[6] ~= '1' then
  why = ''
end
if why ~= '' then
  local saved = 0
  for _, one in ipairs(redis.call('HVALS', KEYS[2])) do
    saved = math.max(saved, tonumber(one))
  end
  redis.call('HSET', KEYS[1], 'saved_at', string.format('%.0f', saved))
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 5) == 'read:' or string.sub(field, 1, 8) == 'problem:' then
      redis.call('HDEL', KEYS[1], field)
    end
  end
  local at = string.format('%.0f', now)
  redis.call('HSET', KEYS[1], 'since', at, 'lost_at', at, 'reason', why)
end
mark = string.format('%.0f', math.max(mark + 1, now))
redis.call('HSET', KEYS[2], ARGV[1], mark)
if redis.call('HLEN', KEYS[2]) > 100 then
  local marks = redis.call('HGETALL', KEYS[2])
  for i = 1, #marks, 2 do
    if now - tonumber(marks[i + 1]) > 86400000000 then
      redis.call('HDEL', KEYS[2], marks[i])
    end
  end
end
local result = {mark, string.format('%.0f', now), redis.call('HLEN', KEYS[3]), why}
for _, one in ipairs(redis.call('HGETALL', KEYS[1])) do
  result[#result + 1] = one
end
return result
