-- Who agreed to what, and how we know; who asked to join; single mails that wait
-- to be made.

-- The words that readers agreed to, each version once.
CREATE TABLE wordings (
    id     INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    words  TEXT NOT NULL
) STRICT;

-- What happened to readers becomes the record of consent.
ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'added';
ALTER TABLE events ADD COLUMN wording_id INTEGER REFERENCES wordings;
ALTER TABLE events ADD COLUMN network TEXT;
UPDATE events SET kind = CASE
    WHEN what LIKE 'chose %'    THEN 'chose'
    WHEN what LIKE '%pause%'    THEN 'paused'
    WHEN what = 'changed the name' THEN 'renamed'
    WHEN what = 'bounced'       THEN 'bounced'
    WHEN what = 'unsubscribed'  THEN CASE source WHEN 'request' THEN 'suppressed' ELSE 'left' END
    WHEN what = 'complained'    THEN 'complained'
    WHEN what = 'suppressed'    THEN 'suppressed'
    WHEN source LIKE 'import %' THEN 'imported'
    ELSE 'added' END;
-- It only ever grows, until its reader is erased.
CREATE TRIGGER events_stay BEFORE DELETE ON events
WHEN EXISTS (SELECT 1 FROM subscribers WHERE id = OLD.subscriber_id AND status <> 5)
BEGIN
    SELECT RAISE(ABORT, 'the record of consent only grows');
END;
CREATE TRIGGER events_stay_as_written BEFORE UPDATE ON events
WHEN EXISTS (SELECT 1 FROM subscribers WHERE id = OLD.subscriber_id AND status <> 5)
BEGIN
    SELECT RAISE(ABORT, 'the record of consent only grows');
END;

CREATE INDEX subscribers_paused ON subscribers (paused_until) WHERE paused_until IS NOT NULL;

-- Its reader does not want it any more, although it may be on its way: it is
-- not tried again.
ALTER TABLE deliveries ADD COLUMN is_unwanted INTEGER NOT NULL DEFAULT 0;

-- Requests to join that wait for the reader's yes; what they ask for comes true
-- with it.
CREATE TABLE signups (
    subscriber_id INTEGER PRIMARY KEY REFERENCES subscribers,
    digest        TEXT NOT NULL,
    name          TEXT,
    choice_id     INTEGER REFERENCES choices,
    asked_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX signups_by_age ON signups (asked_at);

-- How often a mailbox was asked to confirm since it last did, and how often
-- somebody wanted that. Keyed like suppressions, by the folded address.
CREATE TABLE askings (
    address_hash BLOB PRIMARY KEY CHECK (length(address_hash) = 32),
    requests     INTEGER NOT NULL,
    times        INTEGER NOT NULL,
    last_at      INTEGER
) STRICT, WITHOUT ROWID;

-- Single mails that readers are to get, until they are made.
CREATE TABLE answers (
    id            INTEGER PRIMARY KEY,
    subscriber_id INTEGER NOT NULL REFERENCES subscribers,
    kind          TEXT NOT NULL,
    digest        TEXT NOT NULL,
    wanted_at     INTEGER NOT NULL,
    UNIQUE (subscriber_id, kind, digest)
) STRICT;

-- Somebody was erased, and the file may still hold traces in what it has freed.
ALTER TABLE installation ADD COLUMN wipe_due INTEGER NOT NULL DEFAULT 0;
