SELECT * FROM proposal_member ORDER BY number
