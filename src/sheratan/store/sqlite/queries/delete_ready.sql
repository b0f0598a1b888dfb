DELETE FROM ready WHERE (lane, priority, number) IN (VALUES :rows)
