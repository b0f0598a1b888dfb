DELETE FROM alarm WHERE (due_us, number) IN (VALUES :rows)
