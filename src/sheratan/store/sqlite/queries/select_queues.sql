SELECT tenant, queue, paused, reason, entry FROM queue ORDER BY tenant, queue
