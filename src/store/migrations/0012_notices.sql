-- Single mails that answer what readers did are issues of their own kind, so that
-- whatever holds for issues holds for them: intents, doubts, bounces. `notice` is
-- empty for the issues of digests.
ALTER TABLE issues ADD COLUMN notice TEXT;
