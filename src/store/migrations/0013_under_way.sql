-- What is under way is asked for with every batch, and single mails make many
-- issues that are done.
CREATE INDEX issues_by_state ON issues (state);
