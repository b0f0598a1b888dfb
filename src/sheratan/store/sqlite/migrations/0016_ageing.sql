-- By how much waiting a priority of a queue, kind or tenant gains a step; 0: priorities do not age.

ALTER TABLE flow ADD COLUMN ageing_us INTEGER NOT NULL DEFAULT 0;
