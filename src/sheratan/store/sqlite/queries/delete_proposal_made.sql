DELETE FROM proposal_made WHERE (root) IN (VALUES :rows)
