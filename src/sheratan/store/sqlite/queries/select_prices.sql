SELECT tenant, kind, unit, amount, metered, entry, worker_share FROM price ORDER BY tenant, kind
