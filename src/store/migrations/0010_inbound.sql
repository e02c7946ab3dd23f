-- What came back about messages that had left.

-- Mails of the bounce mailbox that were dealt with, by the beginning of the
-- SHA-256 of their bytes: a mail that is found twice is done once.
CREATE TABLE inbound (
    id      BLOB PRIMARY KEY CHECK (length(id) = 16),
    handled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What reports say of a delivery, one row for each kind: who says it again says
-- nothing new. `reason` may quote the reader's address, and goes with it.
CREATE TABLE reports (
    delivery_id INTEGER NOT NULL REFERENCES deliveries,
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 5),
    at          INTEGER NOT NULL,
    code        TEXT,
    reason      TEXT NOT NULL,
    PRIMARY KEY (delivery_id, kind)
) STRICT, WITHOUT ROWID;

-- How far a mailbox that only grows was read, and the hash of the bytes before.
CREATE TABLE mailboxes (
    source TEXT PRIMARY KEY,
    offset INTEGER NOT NULL CHECK (offset >= 0),
    tail   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
