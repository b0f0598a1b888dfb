SELECT state, since_us, reason, actor, entry, affected, draining FROM system
