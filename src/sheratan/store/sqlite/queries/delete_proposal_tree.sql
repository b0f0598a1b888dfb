DELETE FROM proposal_tree WHERE (root) IN (VALUES :rows)
