-- Runs that run for a node of another run, and runs that schedules begin.
-- The index holds only those of nodes, so that others pay nothing for it.

ALTER TABLE run ADD COLUMN parent INTEGER;
ALTER TABLE run ADD COLUMN node TEXT;
ALTER TABLE run ADD COLUMN item INTEGER;

CREATE INDEX run_by_parent ON run (parent, node, item) WHERE parent IS NOT NULL;

-- The run that the last firing of a schedule began, in place of a job.
ALTER TABLE schedule ADD COLUMN last_run INTEGER;
