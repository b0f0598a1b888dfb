SELECT
    coalesce(sum(parents), 0), coalesce(sum(failures), 0), coalesce(sum(steps), 0), coalesce(sum(tags), 0),
    coalesce(sum(state = 'failed'), 0)
FROM pruned
WHERE number > ?
