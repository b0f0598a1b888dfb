-- Trees: a job that has proposed others, and all that descends from it since. Rows are there as long as a tree has open
-- jobs: its budget and what is used of it, its open jobs, and the kinds and inputs that were proposed.

CREATE TABLE proposal_tree (
    root INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    began_us INTEGER NOT NULL,
    jobs_max INTEGER NOT NULL,
    depth_max INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    stalls_after INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    members INTEGER NOT NULL
) STRICT;

CREATE TABLE proposal_member (
    number INTEGER PRIMARY KEY,
    root INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    made INTEGER NOT NULL,
    fruitless INTEGER NOT NULL
) STRICT;

CREATE TABLE proposal_made (
    root INTEGER NOT NULL,
    likeness BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (root, likeness)
) STRICT, WITHOUT ROWID;
