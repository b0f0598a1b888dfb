SELECT run_budget.run, run_budget.unit, run_budget.amount, run_budget.reserved, run_budget.charged
FROM json_each(?) AS wanted
CROSS JOIN run_budget ON run_budget.run = wanted.value
ORDER BY run_budget.run, run_budget.unit
