-- Set the schema version of the data if it is still the version that was migrated from.
--
-- Called:  bump_schema_version  KEYS[1]  ARGV[1..2]
-- KEYS[1]  string  the schema version
-- ARGV[1]  integer the previous version; 0 for none
-- ARGV[2]  integer the new version
-- Returns  integer the version afterwards
local held = tonumber(redis.call('GET', KEYS[1]) or '0')
if held == tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[2])
  return tonumber(ARGV[2])
end
return held
