-- Say which components of a page an incident affects now, and learn how the other incidents that are open affect them.
--
-- Called:  share  KEYS[1]  ARGV[1..n]
-- KEYS[1]  hash    the page's components: "WHO COMPONENT" -> status
-- ARGV[1]  string  who: the episode, without spaces
-- ARGV[2..] pairs  component, status; none takes back what was said before
-- Returns  list    pairs of component and status of all others
local found = redis.call('HGETALL', KEYS[1])
local others = {}
for i = 1, #found, 2 do
  local who, component = string.match(found[i], '^(%S+) (.*)$')
  if who == ARGV[1] then
    redis.call('HDEL', KEYS[1], found[i])
  else
    others[#others + 1] = component
    others[#others + 1] = found[i + 1]
  end
end
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[1] .. ' ' .. ARGV[i], ARGV[i + 1])
end
return others
