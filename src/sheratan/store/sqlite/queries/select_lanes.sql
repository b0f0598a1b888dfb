SELECT lane, tenant, queue, kind FROM lane ORDER BY lane
