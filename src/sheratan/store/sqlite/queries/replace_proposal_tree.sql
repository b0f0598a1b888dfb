INSERT OR REPLACE INTO proposal_tree VALUES :rows
