SELECT * FROM reliability ORDER BY tenant, account, unit
