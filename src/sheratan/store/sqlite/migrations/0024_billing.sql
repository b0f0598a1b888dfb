-- What attempts at jobs cost. A charge names the transfer that has reserved it, which says how much and what became of it.

CREATE TABLE price (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER,
    metered INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE charge (
    number INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    transfer INTEGER PRIMARY KEY,
    metered INTEGER NOT NULL,
    UNIQUE (number, fence)
) STRICT;
