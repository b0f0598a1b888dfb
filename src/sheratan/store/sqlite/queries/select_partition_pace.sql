SELECT * FROM partition_pace WHERE tenant = ?1 AND subject = ?2 AND number = ?3
