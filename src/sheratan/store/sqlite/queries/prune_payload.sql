DELETE FROM payload
WHERE
    digest IN (SELECT unhex(value) FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM job WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM result WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM step WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM signal WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM schedule WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM run WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM run WHERE plan = digest)
    AND NOT EXISTS (SELECT 1 FROM run_result WHERE payload = digest)
    AND NOT EXISTS (SELECT 1 FROM approval WHERE payload = digest)
