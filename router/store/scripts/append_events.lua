-- Store what has been announced of a subject, and append the events, unless another worker has announced since.
--
-- Called:  append_events  KEYS[1..3]  ARGV[1..3+n]
-- KEYS[1]  hash    the subject's notifications: s packed, what was announced; seq, the newest sequence number
-- KEYS[2]  stream  the subject's events: e packed; the entry ID is the sequence number
-- KEYS[3]  zset    subjects with events to deliver -> due, microseconds
-- ARGV[1]  bytes   what was announced as it was read; empty if nothing was
-- ARGV[2]  bytes   what is announced now
-- ARGV[3]  string  the subject
-- ARGV[4..] bytes  the events, packed
-- Returns  integer the newest sequence number; -1 if another worker has announced since: nothing was written
if (redis.call('HGET', KEYS[1], 's') or '') ~= ARGV[1] then
  return -1
end
local sequence = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
redis.call('HSET', KEYS[1], 's', ARGV[2])
if #ARGV > 3 then
  -- The hash may have been lost while the stream was kept: numbers never go back.
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  if last then
    sequence = math.max(sequence, tonumber(string.match(last[1], '^%d+')))
  end
  for i = 4, #ARGV do
    sequence = sequence + 1
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, string.format('%.0f-0', sequence), 'e', ARGV[i])
  end
  redis.call('HSET', KEYS[1], 'seq', string.format('%.0f', sequence))
  redis.call('ZADD', KEYS[3], 0, ARGV[3])
  redis.call('PEXPIRE', KEYS[2], 2592000000)
end
redis.call('PEXPIRE', KEYS[1], 2592000000)
return sequence
