SELECT name || '/' || unit, 'it is closed by transfer_' || lower(hex(closed_by)) || ', which does not close it'
FROM ledger_account
JOIN ledger_balance ON ledger_balance.number = ledger_account.number
WHERE closed_by IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM ledger_transfer
    JOIN ledger_pending ON ledger_pending.number = ledger_transfer.number
    WHERE ledger_transfer.tenant = ledger_account.tenant AND id = closed_by
        AND ledger_account.number = CASE closes WHEN 'debit' THEN debit WHEN 'credit' THEN credit END
)
