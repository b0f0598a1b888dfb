SELECT count(*), coalesce(sum(nodes), 0), coalesce(sum(jobs), 0) FROM pruned_run
