SELECT count(*) FROM proposal_tree
