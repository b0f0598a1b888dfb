SELECT count(*) FROM job_budget
