-- What single jobs may be charged for all of their attempts, in each unit. It stays as charges do when a job is pruned.

CREATE TABLE job_budget (
    number INTEGER NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (number, unit)
) STRICT, WITHOUT ROWID;
