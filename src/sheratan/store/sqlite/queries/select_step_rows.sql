SELECT step.*
FROM json_each(?) AS wanted
JOIN step ON step.number = wanted.value ->> 0 AND step.step = wanted.value ->> 1
