SELECT 'transfer_' || lower(hex(id)),
    'it reserves ' || reserved
    || ', is ' || coalesce(state || ' with ' || said, CASE WHEN waits THEN 'pending' ELSE 'nowhere' END)
    || ', and ' || coalesce(phase || ' moves ' || posted, 'nothing resolves it')
FROM (
    SELECT ledger_transfer.id, ledger_transfer.amount AS reserved, ledger_resolved.state,
        ledger_resolved.amount AS said, ledger_pending.number IS NOT NULL AS waits,
        resolution.phase, resolution.amount AS posted
    FROM ledger_transfer
    LEFT JOIN ledger_transfer AS resolution ON resolution.pending = ledger_transfer.number
    LEFT JOIN ledger_resolved ON ledger_resolved.number = ledger_transfer.number
    LEFT JOIN ledger_pending ON ledger_pending.number = ledger_transfer.number
    WHERE ledger_transfer.number > ?1 AND ledger_transfer.number <= ?2 AND ledger_transfer.phase = 'pending'
)
WHERE waits = (state IS NOT NULL)
    OR said > reserved
    OR coalesce(said, 0) <> coalesce(posted, 0)
    OR phase IS NOT CASE state WHEN 'posted' THEN 'post' WHEN 'voided' THEN 'void' END
