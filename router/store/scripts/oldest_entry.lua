-- Return the ID of the oldest inbox entry. An entry leaves the inbox when it is folded or becomes a dead delivery.
--
-- Called:  oldest_entry  KEYS[1]
-- KEYS[1]  stream  the inbox
-- Returns  string  the ID, or nothing if the inbox is empty
-- A script, because the entry itself may have megabytes.
local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return entries[1] and entries[1][1]
