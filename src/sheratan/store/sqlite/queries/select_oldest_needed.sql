WITH RECURSIVE
line (number) AS (
    SELECT number FROM ready
    UNION SELECT number FROM timer
    UNION SELECT number FROM lease
    UNION SELECT number FROM blocked
    UNION
    SELECT one.submitted_by
    FROM line
    JOIN (SELECT number, submitted_by FROM job UNION ALL SELECT number, submitted_by FROM pruned) AS one USING (number)
    WHERE one.submitted_by IS NOT NULL
)
SELECT
    (
        SELECT min(created_us)
        FROM (
            SELECT created_us FROM job JOIN line USING (number)
            UNION ALL SELECT created_us FROM pruned JOIN line USING (number)
            UNION ALL SELECT created_us FROM run JOIN run_open USING (number)
        )
    ),
    (
        SELECT min(entry)
        FROM (
            SELECT entry FROM bulk WHERE ended IS NULL
            UNION ALL SELECT paused FROM flow WHERE paused <> 0
        )
    )
