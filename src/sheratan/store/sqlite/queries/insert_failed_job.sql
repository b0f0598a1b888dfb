INSERT INTO failed_job VALUES :rows
