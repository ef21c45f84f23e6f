-- hot.release: takes our latch away, and nothing else.
--
-- KEYS[1]  the record's key
-- ARGV[1]  our latch, byte for byte as acquire wrote it
--
-- Returns one of
--   {'released'}  our latch was there and is gone
--   {'absent'}    there was nothing
--   {'other'}     there is another's latch, an answer, or a value of another type: left alone
--
-- No write but DEL, and no `#!lua` line: so a Redis that is full (noeviction) still runs it.

local held = redis.pcall('GET', KEYS[1])
if held == ARGV[1] then
  redis.call('DEL', KEYS[1])
  return {'released'}
end
if held == false then
  return {'absent'}
end
return {'other'}
