-- A ledger can be moved to another database.

-- Where it went; empty while this is the ledger. `moved_at` is empty until all
-- of it is there.
ALTER TABLE installation ADD COLUMN moved_to plain;
ALTER TABLE installation ADD COLUMN moved_at bigint;

-- One row while a ledger is on its way here: which one, and from where.
CREATE TABLE arrivals (
    id       bigint PRIMARY KEY CHECK (id = 1),
    ledger   plain NOT NULL,
    source   plain NOT NULL,
    began_at bigint NOT NULL
);

-- Keeps everybody from writing to a ledger that is elsewhere. Its triggers are
-- made when it leaves: the code of the error, and where it goes.
CREATE FUNCTION ledger_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = TG_ARGV[0], MESSAGE = TG_ARGV[1];
END $$;
