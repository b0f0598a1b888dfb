SELECT min(due_us) FROM (SELECT min(due_us) AS due_us FROM timer UNION ALL SELECT min(due_us) FROM alarm)
