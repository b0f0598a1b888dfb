SELECT * FROM proposal_tree WHERE root = ?
