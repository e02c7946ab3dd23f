-- One token for what builds ask of the ledger, so that a build can tell in one
-- look that nobody changed it. The row comes with the first change.
CREATE TABLE standing (
    id    bigint PRIMARY KEY CHECK (id = 1),
    token plain NOT NULL
);
