SELECT * FROM pace ORDER BY tenant, subject
