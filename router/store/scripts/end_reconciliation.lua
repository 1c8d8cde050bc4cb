-- End the reconciliation of the data set, unless another one has begun.
--
-- Called:  end_reconciliation  KEYS[1]  ARGV[1]
-- KEYS[1]  hash    the marker of the data set
-- ARGV[1]  integer when the reconciliation began
-- Returns  integer 1 if it has ended
if redis.call('HGET', KEYS[1], 'since') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'since', 0)
return 1
