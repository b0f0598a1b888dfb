SELECT count(*) FROM run_spender
