SELECT run_spender.number, run_spender.run
FROM json_each(?) AS wanted
CROSS JOIN run_spender ON run_spender.number = wanted.value
ORDER BY run_spender.number, run_spender.run
