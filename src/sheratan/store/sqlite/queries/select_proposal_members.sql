SELECT * FROM proposal_member WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number
