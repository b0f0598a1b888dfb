-- How much jobs may spend, and how much of it is used by attempts with fences from the entry `since` on.

CREATE TABLE budget (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    unit TEXT NOT NULL,
    per TEXT,
    amount INTEGER,
    entry INTEGER NOT NULL,
    since INTEGER NOT NULL,
    ends_us INTEGER,
    reserved INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, unit)
) STRICT, WITHOUT ROWID;
