SELECT * FROM proposal_tree ORDER BY root
