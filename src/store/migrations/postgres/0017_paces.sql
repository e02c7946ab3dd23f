-- Which worker a run is: one whose lease lasts has not died.
ALTER TABLE runs ADD COLUMN worker_id bigint;

-- How fast all workers together may go: through a relay (domain ''), and to the
-- receivers that asked for less. The next message may leave at `free_at`, by this
-- server's clock, and each takes so many microseconds.
CREATE TABLE paces (
    relay      plain NOT NULL,
    domain     plain NOT NULL,
    free_at    timestamptz NOT NULL,
    step       bigint NOT NULL CHECK (step >= 0),
    refusals   bigint NOT NULL DEFAULT 0,
    refused_at timestamptz,
    reply      plain,
    PRIMARY KEY (relay, domain)
) WITH (fillfactor = 50);
