INSERT INTO job_budget VALUES :rows
