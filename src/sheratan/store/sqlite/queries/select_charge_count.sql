SELECT count(*) FROM charge
