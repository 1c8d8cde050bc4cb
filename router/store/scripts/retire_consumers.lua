-- Remove consumers that have no pending deliveries from the inbox's group.
--
-- A consumer with pending deliveries stays. Removing it would remove them from the group, and no worker could claim them.
-- A worker that was only slow is added again by its next XREADGROUP.
--
-- Called:  retire_consumers  KEYS[1]  ARGV[1..3]
-- KEYS[1]  stream  the inbox
-- ARGV[1]  string  the consumer group
-- ARGV[2]  integer minimum idle time, milliseconds
-- ARGV[3]  string  the consumer to remove; empty for all
-- Returns  array   the removed consumers
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
local removed = {}
if consumers.err then
  return removed -- There is no inbox yet, or no group.
end
for _, fields in ipairs(consumers) do
  local consumer = {}
  for position = 1, #fields, 2 do
    consumer[fields[position]] = fields[position + 1]
  end
  if (ARGV[3] == '' or consumer.name == ARGV[3]) and consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed[#removed + 1] = consumer.name
  end
end
return removed
