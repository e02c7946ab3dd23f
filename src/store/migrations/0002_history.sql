-- What readers were shown, so that feeds can archive it and take it back.

-- Every article that was ever in a feed. `streams`: folders of the section, tag
-- and author feeds that ever showed it, parted by spaces.
CREATE TABLE published (
    article_id TEXT PRIMARY KEY,
    first_at   INTEGER NOT NULL,
    title      TEXT NOT NULL,
    url        TEXT NOT NULL,
    streams    TEXT NOT NULL,
    gone_at    INTEGER
) STRICT, WITHOUT ROWID;

-- Which complete archive document of a stream holds an article. `stream` is
-- the folder of its feeds, empty for the whole publication; `updated_at` is the
-- article's last change when the document was completed.
CREATE TABLE archived (
    stream     TEXT NOT NULL,
    article_id TEXT NOT NULL REFERENCES published,
    document   INTEGER NOT NULL CHECK (document > 0),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (stream, article_id)
) STRICT, WITHOUT ROWID;

-- What an archive document in an output folder was made of: it is made anew
-- only when this differs or the file is lost.
CREATE TABLE archive_files (
    folder      TEXT NOT NULL,
    path        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (folder, path)
) STRICT, WITHOUT ROWID;
