SELECT charge.number, charge.fence, charge.transfer, charge.metered, charge.worker
FROM json_each(?) AS wanted
CROSS JOIN charge ON charge.transfer = wanted.value
