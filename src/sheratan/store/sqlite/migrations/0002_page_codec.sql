-- How a page's body is stored: 0 as it is, 1 as a zstd frame. The entries of one commit say much the same.

ALTER TABLE page ADD COLUMN codec INTEGER NOT NULL DEFAULT 0;
