SELECT awaited.*
FROM json_each(?1) AS ended
JOIN awaited ON awaited.awaited = ended.value
ORDER BY awaited.number, awaited.entry, awaited.ordinal, awaited.awaited
