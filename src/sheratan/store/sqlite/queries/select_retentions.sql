SELECT * FROM retention ORDER BY tenant, kind
