SELECT due_us, number FROM alarm WHERE due_us <= ?1 ORDER BY due_us, number LIMIT ?2
