SELECT
    lease.number,
    lease.fence,
    job.lane,
    ledger_account.tenant,
    ledger_account.unit,
    ledger_transfer.amount,
    charge.metered,
    charge.worker,
    lease.leased_us
FROM lease
CROSS JOIN charge ON charge.number = lease.number AND charge.fence = lease.fence
CROSS JOIN ledger_transfer ON ledger_transfer.number = charge.transfer
CROSS JOIN ledger_account ON ledger_account.number = ledger_transfer.debit
CROSS JOIN job ON job.number = lease.number
ORDER BY lease.number
