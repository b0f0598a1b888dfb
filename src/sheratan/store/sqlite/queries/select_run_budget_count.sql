SELECT count(*) FROM run_budget
