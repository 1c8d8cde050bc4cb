-- Set the component statuses of an episode on a page, and return those that other open episodes set.
--
-- Called:  set_component_statuses  KEYS[1]  ARGV[1..n]
-- KEYS[1]  hash    the page's components: "EPISODE COMPONENT" -> status
-- ARGV[1]  string  the episode, without spaces
-- ARGV[2..] pairs  component, status; without pairs the previous statuses are removed
-- Returns  list    pairs of component and status of all other episodes
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
