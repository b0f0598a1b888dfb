-- Requests for approval that handlers have made, by the entries that record them; and what people did with them.

CREATE TABLE approval (
    entry INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    question TEXT NOT NULL,
    subject BLOB,
    payload BLOB,
    approvers TEXT NOT NULL,
    needed INTEGER NOT NULL,
    self_approval INTEGER NOT NULL,
    requester TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    state TEXT NOT NULL,
    ended INTEGER,
    newest INTEGER NOT NULL
) STRICT;

CREATE INDEX approval_by_state ON approval (state, entry);
CREATE INDEX approval_by_job ON approval (number);

CREATE TABLE approval_act (
    approval INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    receiver TEXT,
    comment TEXT NOT NULL,
    PRIMARY KEY (approval, entry)
) STRICT, WITHOUT ROWID;
