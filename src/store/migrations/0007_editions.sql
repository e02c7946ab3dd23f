-- Readers who chose what they get, and issues of several editions.

-- Every choice that a reader ever made, once, in its canonical text. Readers
-- with none get everything.
CREATE TABLE choices (
    id     INTEGER PRIMARY KEY,
    choice TEXT NOT NULL UNIQUE CHECK (choice <> '')
) STRICT;
ALTER TABLE subscribers ADD COLUMN choice_id INTEGER REFERENCES choices;

-- Editions are numbered from 1 within their issue; the first is the whole issue.
CREATE TABLE numbered_editions (
    issue_id INTEGER NOT NULL REFERENCES issues,
    number   INTEGER NOT NULL CHECK (number > 0),
    body     BLOB NOT NULL,
    PRIMARY KEY (issue_id, number)
) STRICT;
INSERT INTO numbered_editions (issue_id, number, body)
    SELECT issue_id, 1, body FROM editions;
DROP TABLE editions;
ALTER TABLE numbered_editions RENAME TO editions;
ALTER TABLE deliveries ADD COLUMN edition INTEGER NOT NULL DEFAULT 1;
