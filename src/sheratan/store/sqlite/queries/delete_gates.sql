DELETE FROM gate
WHERE (tenant, kind, what, key) IN (
    SELECT tenant, kind, what, key FROM gate WHERE until_us <= ? ORDER BY until_us LIMIT ?
)
