-- Write down what became of telling a batch's end, if the batch is still kept.
-- KEYS: 1 batch
-- ARGV: 1 what became of it
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'callback_note', ARGV[1]) end
