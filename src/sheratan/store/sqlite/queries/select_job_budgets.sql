SELECT job_budget.number, job_budget.unit, job_budget.amount
FROM json_each(?) AS wanted
CROSS JOIN job_budget ON job_budget.number = wanted.value
ORDER BY job_budget.number, job_budget.unit
