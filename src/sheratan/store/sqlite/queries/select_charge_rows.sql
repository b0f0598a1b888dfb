SELECT charge.number, charge.fence, charge.transfer, charge.metered
FROM json_each(?) AS wanted
CROSS JOIN charge ON charge.transfer = wanted.value
