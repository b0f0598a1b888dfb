-- Runs that run for a node of another run: the index holds only those, so that others pay nothing for it.

ALTER TABLE run ADD COLUMN parent INTEGER;
ALTER TABLE run ADD COLUMN node TEXT;
ALTER TABLE run ADD COLUMN item INTEGER;

CREATE INDEX run_by_parent ON run (parent, node, item) WHERE parent IS NOT NULL;
