SELECT after.parent, after.number
FROM json_each(?1) AS ended
JOIN after ON after.parent = ended.value
JOIN blocked ON blocked.number = after.number
ORDER BY after.parent, after.number
