SELECT * FROM flow ORDER BY tenant, subject
