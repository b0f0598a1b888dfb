-- The trace that a caller's job goes on with: id, span and flags of a W3C traceparent, in 25 bytes. Most jobs have none.

ALTER TABLE job ADD COLUMN trace BLOB;
