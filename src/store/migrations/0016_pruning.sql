-- Old issues can be pruned: what they sum up to stays, their deliveries go.

-- 0: whole; 1: deliveries are being removed; 2: they are gone.
ALTER TABLE issues ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;

-- What is known of deliveries that are gone: how many had this report, this
-- edition, two messages.
CREATE TABLE remains (
    issue_id INTEGER NOT NULL REFERENCES issues,
    what     TEXT NOT NULL,
    number   INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (issue_id, what, number)
) STRICT, WITHOUT ROWID;
