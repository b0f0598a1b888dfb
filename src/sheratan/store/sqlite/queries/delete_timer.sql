DELETE FROM timer WHERE (due_us, number) IN (VALUES :rows)
