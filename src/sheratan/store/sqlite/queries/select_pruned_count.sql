SELECT count(*) FROM pruned
