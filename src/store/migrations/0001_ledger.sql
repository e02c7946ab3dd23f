-- The ledger. Times are whole seconds since 1970 in UTC. Numbers for states
-- and statuses are those of `codes.rs`. A released migration is never edited.

-- One row: the secret under which tokens, Message-IDs and suppressions are made.
CREATE TABLE installation (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    install_key BLOB NOT NULL CHECK (length(install_key) = 32),
    created_at  INTEGER NOT NULL
) STRICT;

-- One row per `run`; `ended_at` stays empty when the process died.
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    pid        INTEGER NOT NULL,
    ended_at   INTEGER,
    exit_code  INTEGER,
    summary    TEXT
) STRICT;

-- Which id an article was given, by source file.
CREATE TABLE articles (
    source    TEXT PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    body_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Address, key, hash and name are empty once a reader is erased.
CREATE TABLE subscribers (
    id           INTEGER PRIMARY KEY,
    public_id    BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
    address      TEXT,
    address_key  TEXT UNIQUE,
    address_hash BLOB,
    name         TEXT,
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 5),
    source       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    CHECK ((status = 5) = (address IS NULL)),
    CHECK ((address IS NULL) = (address_key IS NULL)),
    CHECK ((address IS NULL) = (address_hash IS NULL))
) STRICT;
CREATE INDEX subscribers_by_status ON subscribers (status);

-- Addresses that must never be written to, as HMAC-SHA256 under the install key.
CREATE TABLE suppressions (
    address_hash BLOB PRIMARY KEY,
    reason       TEXT NOT NULL,
    since        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened to a subscriber; only ever grows.
CREATE TABLE events (
    id            INTEGER PRIMARY KEY,
    subscriber_id INTEGER NOT NULL REFERENCES subscribers,
    at            INTEGER NOT NULL,
    what          TEXT NOT NULL,
    source        TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_subscriber ON events (subscriber_id);

-- The newest slot of a digest that was dealt with.
CREATE TABLE digests (
    name   TEXT PRIMARY KEY,
    cursor TEXT
) STRICT, WITHOUT ROWID;

-- Slots that passed without an issue of their own, and why.
CREATE TABLE slots (
    digest TEXT NOT NULL,
    slot   TEXT NOT NULL,
    fate   TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (digest, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE issues (
    id             INTEGER PRIMARY KEY,
    digest         TEXT NOT NULL,
    occasion       TEXT NOT NULL,
    number         INTEGER NOT NULL,
    title          TEXT NOT NULL,
    subject        TEXT NOT NULL,
    sender_name    TEXT NOT NULL,
    sender_address TEXT NOT NULL,
    state          INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    reason         TEXT,
    frozen_at      INTEGER NOT NULL,
    expire_at      INTEGER NOT NULL,
    finished_at    INTEGER,
    candidates     INTEGER NOT NULL,
    -- The deliveries of an issue are made in one transaction: one span of ids.
    first_delivery INTEGER NOT NULL,
    last_delivery  INTEGER NOT NULL,
    UNIQUE (digest, number)
) STRICT;
-- A cancelled issue frees its occasion: the corrected one may have it.
CREATE UNIQUE INDEX issues_by_occasion ON issues (digest, occasion) WHERE state <> 3;

CREATE TABLE editions (
    issue_id INTEGER PRIMARY KEY REFERENCES issues,
    body     BLOB NOT NULL
) STRICT;

-- What an issue carried, in its order.
CREATE TABLE issue_articles (
    issue_id   INTEGER NOT NULL REFERENCES issues,
    position   INTEGER NOT NULL,
    article_id TEXT NOT NULL,
    title      TEXT NOT NULL,
    PRIMARY KEY (issue_id, position)
) STRICT, WITHOUT ROWID;

-- An article belongs to at most one issue of a digest.
CREATE TABLE assignments (
    digest      TEXT NOT NULL,
    article_id  TEXT NOT NULL,
    issue_id    INTEGER NOT NULL REFERENCES issues,
    passed_over INTEGER NOT NULL CHECK (passed_over IN (0, 1)),
    PRIMARY KEY (digest, article_id)
) STRICT, WITHOUT ROWID;

-- Subscribers that an issue left out, by reason.
CREATE TABLE exclusions (
    issue_id INTEGER NOT NULL REFERENCES issues,
    reason   TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (issue_id, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id              INTEGER PRIMARY KEY,
    issue_id        INTEGER NOT NULL REFERENCES issues,
    subscriber_id   INTEGER NOT NULL REFERENCES subscribers,
    state           INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    -- The newest attempt; older ones hang on it by `previous_id`.
    attempt_id      INTEGER,
    -- As frozen; empty once the reader is erased.
    address         TEXT,
    name            TEXT,
    UNIQUE (subscriber_id, issue_id)
) STRICT;
CREATE INDEX deliveries_queued ON deliveries (issue_id, next_attempt_at) WHERE state = 0;
CREATE INDEX deliveries_inflight ON deliveries (id) WHERE state = 2;
CREATE INDEX deliveries_uncertain ON deliveries (id) WHERE state = 4;

-- `outcome` is empty while the attempt is under way.
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    delivery_id INTEGER NOT NULL REFERENCES deliveries,
    previous_id INTEGER,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     INTEGER CHECK (outcome BETWEEN 1 AND 6),
    code        INTEGER,
    reply       TEXT
) STRICT;

-- Deliveries of an issue by state: kept by the trigger, checked by `verify`.
CREATE TABLE tallies (
    issue_id INTEGER NOT NULL REFERENCES issues,
    state    INTEGER NOT NULL,
    count    INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (issue_id, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deliveries_tally AFTER UPDATE OF state ON deliveries
WHEN OLD.state <> NEW.state
BEGIN
    UPDATE tallies SET count = count - 1 WHERE issue_id = OLD.issue_id AND state = OLD.state;
    UPDATE tallies SET count = count + 1 WHERE issue_id = OLD.issue_id AND state = NEW.state;
END;
