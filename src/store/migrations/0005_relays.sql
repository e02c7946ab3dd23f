-- What the outbox learned about each relay (host and port), for the next run:
-- how many sessions it bears, since when it does not serve, until when it
-- wants to be left alone.
CREATE TABLE relays (
    name         TEXT PRIMARY KEY,
    sessions     INTEGER NOT NULL CHECK (sessions > 0),
    away_since   INTEGER,
    away_reason  TEXT,
    quiet_until  INTEGER,
    quiet_reply  TEXT,
    CHECK ((away_since IS NULL) = (away_reason IS NULL)),
    CHECK ((quiet_until IS NULL) = (quiet_reply IS NULL))
) STRICT, WITHOUT ROWID;

-- At which step a refusal came (RCPT or the dot); empty for other outcomes.
ALTER TABLE attempts ADD COLUMN phase TEXT;
