//! What relays said while the server was away, kept beside the database by a
//! process that had to end.

use std::sync::Arc;

#[cfg(test)]
use chrono::{DateTime, Utc};

use super::Session;
#[cfg(test)]
use crate::domain::delivery::{AttemptId, Outcome};
use crate::store::{
    beside::outcomes::{self, Told},
    postgres,
    sql::Connection,
    writer::{Grouped, Kept},
};

impl Session {
    /// Takes up what relays said when an earlier process had to end without the
    /// server.
    pub(in crate::store) fn take_up_journal(&mut self) {
        if self.server.is_none() || self.ledger.is_empty() {
            return;
        }
        // What cannot be read stays where it is, for the next start.
        let Ok(Some((journal, told))) = outcomes::read(&self.path, &self.ledger) else {
            return;
        };
        let kept = Arc::clone(&self.kept);
        let found = self.transact_own(|connection| match connection {
            Connection::Sqlite(_) => Ok(Vec::new()),
            Connection::Postgres(link) => postgres::attempts_of(connection, link, &told),
        });
        let Ok(attempts) = found else {
            return;
        };
        self.commit(
            told.into_iter()
                .zip(attempts)
                .filter_map(|(one, attempt)| Some((one, attempt?)))
                .map(|(one, attempt)| Grouped::Outcome {
                    attempt,
                    outcome: one.outcome,
                    now: one.at,
                    answer: None,
                    kept: Kept::of(&kept),
                })
                .collect(),
        );
        if self.owed.is_empty() {
            // Told once more they change nothing.
            drop(journal.forget());
        } else {
            // They are still there.
            self.owed.clear();
        }
    }

    /// An outcome that was not committed.
    #[cfg(test)]
    pub(in crate::store) fn owe(
        &mut self,
        attempt: AttemptId,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) {
        let kept = Kept::of(&self.kept);
        self.owed.push(Grouped::Outcome {
            attempt,
            outcome,
            now,
            answer: None,
            kept,
        });
    }

    /// Writes down what the server could not be told.
    pub(in crate::store) fn write_journal(&mut self) {
        if self.server.is_none() {
            return;
        }
        let Connection::Postgres(link) = &self.connection else {
            return;
        };
        let owed = std::mem::take(&mut self.owed).into_iter();
        let told: Vec<Told> = owed
            .filter_map(|request| match request {
                Grouped::Outcome {
                    attempt,
                    outcome,
                    now,
                    ..
                } => Some(Told {
                    ledger: self.ledger.clone(),
                    attempt: link.current(attempt),
                    delivery: link.delivery_of(attempt)?,
                    outcome,
                    at: now,
                }),
                Grouped::Intent { .. } | Grouped::Conclusion { .. } => None,
            })
            .collect();
        if !told.is_empty() {
            // Where that fails, too, they are uncertain at the next start.
            drop(outcomes::append(&self.path, &told));
        }
    }
}
