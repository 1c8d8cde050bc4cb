-- Say that the data has a version now, where it still had the one that it was brought forward from.
--
-- Called:  raise  KEYS[1]  ARGV[1..2]
-- KEYS[1]  string  the version of the data
-- ARGV[1]  integer the version that it had; 0 where it had none
-- ARGV[2]  integer the version that it has now
-- Returns  integer the version that stands there afterwards
local held = tonumber(redis.call('GET', KEYS[1]) or '0')
if held == tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[2])
  return tonumber(ARGV[2])
end
return held
