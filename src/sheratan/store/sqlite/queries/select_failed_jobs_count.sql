SELECT count(*) FROM failed_job
