-- Alerts as they stand since they were last raised or cleared; `told` says whether that was told to whoever is to hear
-- of it, or was given up. One row for each thing that was ever wrong: a queue, a budget, a rule.

CREATE TABLE alert (
    subject TEXT PRIMARY KEY,
    open INTEGER NOT NULL,
    severity TEXT NOT NULL,
    value INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    text TEXT NOT NULL,
    affected TEXT NOT NULL,
    seen_us INTEGER NOT NULL,
    told INTEGER NOT NULL,
    told_us INTEGER,
    entry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
