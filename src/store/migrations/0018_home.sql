-- Which database server the ledger is on, as that one names itself; empty with a
-- file. A copy that was restored elsewhere finds another name.
ALTER TABLE installation ADD COLUMN home TEXT;
