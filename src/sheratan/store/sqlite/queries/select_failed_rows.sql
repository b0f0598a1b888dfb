SELECT failed_job.error_class, failed_job.number
FROM json_each(?1) AS class
JOIN json_each(?2) AS wanted
JOIN failed_job ON failed_job.error_class = class.value AND failed_job.number = wanted.value
