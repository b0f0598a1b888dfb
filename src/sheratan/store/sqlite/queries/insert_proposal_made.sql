INSERT INTO proposal_made VALUES :rows
