SELECT tenant, subject, unit, per, amount, entry, since, ends_us, reserved, charged
FROM budget
ORDER BY tenant, subject, unit
