-- Where the sessions of the last drain note what is under way (`slate.rs`); empty
-- when nothing is, or nothing outlives the process (always, with a server).
ALTER TABLE installation ADD COLUMN slate plain;
