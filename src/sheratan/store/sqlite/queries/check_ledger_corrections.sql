SELECT 'transfer_' || lower(hex(correction.id)),
    'it undoes transfer_' || lower(hex(correction.corrects)) || ', and does not go its way back'
FROM ledger_transfer AS correction
LEFT JOIN ledger_transfer AS original
    ON original.tenant = correction.tenant AND original.id = correction.corrects
WHERE correction.number > ?1 AND correction.number <= ?2 AND correction.corrects IS NOT NULL
    AND (original.credit, original.debit, original.phase IN ('single', 'post'), original.corrects)
        IS NOT (correction.debit, correction.credit, 1, NULL)
