-- What guards a ledger and its readers against loops, repeats and old copies.

-- The issues that a run set out to deliver, and how many of their deliveries
-- relays had settled by then. `runs.ended_at` tells whether that run lived.
CREATE TABLE run_issues (
    run_id   INTEGER NOT NULL REFERENCES runs,
    issue_id INTEGER NOT NULL REFERENCES issues,
    settled  INTEGER NOT NULL,
    PRIMARY KEY (run_id, issue_id)
) STRICT, WITHOUT ROWID;

-- The header, frozen with the messages, by which a relay knows one that it
-- took before.
ALTER TABLE issues ADD COLUMN idempotency_header TEXT;

-- The last run that there was before this database was found to be an old copy;
-- empty unless it waits to be accepted as the ledger.
ALTER TABLE installation ADD COLUMN restored_after INTEGER;
