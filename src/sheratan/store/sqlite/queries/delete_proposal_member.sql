DELETE FROM proposal_member WHERE (number) IN (VALUES :rows)
