SELECT max(coalesce((SELECT max(number) FROM run), 0), coalesce((SELECT max(number) FROM pruned_run), 0))
