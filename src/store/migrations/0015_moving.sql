-- A ledger can be moved to another database.

-- Where it went; empty while this is the ledger. `moved_at` is empty until all
-- of it is there.
ALTER TABLE installation ADD COLUMN moved_to TEXT;
ALTER TABLE installation ADD COLUMN moved_at INTEGER;

-- One row while a ledger is on its way here: which one, and from where.
CREATE TABLE arrivals (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    ledger   TEXT NOT NULL,
    source   TEXT NOT NULL,
    began_at INTEGER NOT NULL
) STRICT;
