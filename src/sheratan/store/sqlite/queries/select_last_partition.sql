SELECT coalesce(max(number), 0) FROM partition_name
