SELECT * FROM schedule WHERE tenant = ?1 AND name = ?2
