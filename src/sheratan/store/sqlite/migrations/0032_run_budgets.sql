-- What the jobs of a run may spend, in each unit, and what they do. It stays as charges do when the run is pruned.

CREATE TABLE run_budget (
    run INTEGER NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    PRIMARY KEY (run, unit)
) STRICT, WITHOUT ROWID;

-- The jobs that spend from the budgets of runs. It never changes.

CREATE TABLE run_spender (
    number INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (number, run)
) STRICT, WITHOUT ROWID;
