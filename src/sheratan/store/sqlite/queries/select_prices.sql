SELECT tenant, kind, unit, amount, metered, entry FROM price ORDER BY tenant, kind
