SELECT 'transfer_' || lower(hex(id)),
    'it moved ' || amount || ', of which ' || coalesce(said, 'nothing') || ' is said to be undone, and '
    || coalesce(told, 'nothing') || ' was'
FROM (
    SELECT original.id, original.amount, ledger_corrected.amount AS said, (
        SELECT sum(amount) FROM ledger_transfer
        WHERE tenant = original.tenant AND corrects = original.id
    ) AS told
    FROM ledger_transfer AS original
    LEFT JOIN ledger_corrected ON ledger_corrected.number = original.number
    WHERE original.number > ?1 AND original.number <= ?2
)
WHERE said IS NOT told OR said > amount
