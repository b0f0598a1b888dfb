-- Deadlines of whole jobs: how long after its submission a job was to end by its own options, and the instant at which it
-- fails, its own or inherited from the job that submitted it. 0 is none. At that instant its alarm rings.

ALTER TABLE job ADD COLUMN deadline_after_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN deadline_us INTEGER NOT NULL DEFAULT 0;
