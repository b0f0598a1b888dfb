SELECT lane, tenant, queue, kind, version FROM lane ORDER BY lane
