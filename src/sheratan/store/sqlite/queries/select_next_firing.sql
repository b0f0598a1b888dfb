SELECT min(due_us) FROM schedule WHERE due_us IS NOT NULL
