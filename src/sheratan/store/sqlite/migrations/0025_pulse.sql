-- When an engine with nothing to commit last committed all the same, to see that it can. Nobody decides by it; it has to
-- be another value each time, or SQLite would have nothing to write.

ALTER TABLE shard ADD COLUMN pulse_us INTEGER;
