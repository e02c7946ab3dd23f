-- What was written into output folders, and which hubs are still to be told.

-- One row per file, with the hash of its bytes: only what still has a hash of
-- ours is ever removed. Rows are written before files, so between an intent and
-- its settlement a path has one row for the old bytes and one for the new. A
-- folder that we made ends in `/` and has an empty hash.
CREATE TABLE outputs (
    out_dir TEXT NOT NULL,
    path    TEXT NOT NULL,
    sha256  BLOB NOT NULL CHECK (length(sha256) IN (0, 32)),
    PRIMARY KEY (out_dir, path, sha256)
) STRICT, WITHOUT ROWID;

-- Feeds (topics) whose change a WebSub hub has not been told. `revision` grows
-- with every change: news that comes while a ping is under way is not lost. A
-- ping is ready once the changed feed stands in its place.
CREATE TABLE pings (
    hub           TEXT NOT NULL,
    topic         TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    is_ready      INTEGER NOT NULL CHECK (is_ready IN (0, 1)),
    changed_at    INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    last_error    TEXT,
    PRIMARY KEY (hub, topic)
) STRICT, WITHOUT ROWID;
