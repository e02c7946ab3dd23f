-- Old issues can be pruned: what they sum up to stays, their deliveries go.

-- 0: whole; 1: deliveries are being removed; 2: they are gone.
ALTER TABLE issues ADD COLUMN pruned bigint NOT NULL DEFAULT 0;

-- What is known of deliveries that are gone: how many had this report, this
-- edition, two messages.
CREATE TABLE remains (
    issue_id bigint NOT NULL REFERENCES issues,
    what     plain NOT NULL,
    number   bigint NOT NULL,
    count    bigint NOT NULL,
    PRIMARY KEY (issue_id, what, number)
);

-- Without an index that every message would pay for, the server would look
-- through all attempts for each delivery that goes. `verify` looks instead.
ALTER TABLE attempts DROP CONSTRAINT attempts_delivery_id_fkey;
