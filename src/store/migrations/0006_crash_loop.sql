-- What tells runs that die in an issue from runs that get on with it.

-- The newest attempt when a run set out, in place of how many deliveries were
-- settled by then: those also change by policies and by hand. What is dropped
-- only ever compared a run with the three before it.
ALTER TABLE run_issues DROP COLUMN settled;
ALTER TABLE run_issues ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
