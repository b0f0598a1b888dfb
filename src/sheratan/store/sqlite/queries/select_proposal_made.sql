SELECT * FROM proposal_made WHERE root = ? AND likeness = ?
