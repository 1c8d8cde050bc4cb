-- Return the id of the oldest entry of the inbox: an entry leaves it only when it has been folded, or is a dead letter.
--
-- Called:  oldest  KEYS[1]
-- KEYS[1]  stream  the inbox
-- Returns  string  the id, or nothing where the inbox is empty
-- Asked here, since the entry itself may have megabytes.
local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return entries[1] and entries[1][1]
