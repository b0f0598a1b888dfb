SELECT * FROM proposal_made ORDER BY root, likeness
