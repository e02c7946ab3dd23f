//! The questions that are asked once per message, and their answers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};

use super::Answer;
use crate::{
    domain::delivery::{AttemptId, DeliveryId, Intent, Outcome},
    store::{
        attempts::{self, Recorded},
        error::{Fault, StoreError},
        sql::Connection,
    },
};

/// One question.
pub(in crate::store) enum Grouped {
    /// A delivery is about to be sent, or is the next.
    Intent {
        delivery: DeliveryId,
        now: DateTime<Utc>,
        /// Its session does something else before it needs the answer.
        is_ahead: bool,
        answer: Answer<Intent>,
    },
    /// A delivery ended before it had an intent.
    Conclusion {
        delivery: DeliveryId,
        outcome: Outcome,
        now: DateTime<Utc>,
        answer: Answer<bool>,
    },
    /// An attempt ended. Without `answer`, the asker was told that the commit
    /// failed, and the outcome is owed.
    Outcome {
        attempt: AttemptId,
        outcome: Outcome,
        now: DateTime<Utc>,
        answer: Option<Answer<Recorded>>,
        kept: Kept,
    },
}

/// Counts an outcome for as long as it is kept in memory only.
pub(in crate::store) struct Kept(Arc<AtomicU64>);

impl Kept {
    pub(in crate::store) fn of(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Grouped {
    pub(super) fn is_outcome(&self) -> bool {
        matches!(self, Self::Outcome { .. })
    }

    /// Whether it says that a relay took a message.
    pub(super) fn is_sent(&self) -> bool {
        matches!(
            self,
            Self::Outcome {
                outcome: Outcome::Sent(_),
                ..
            }
        )
    }
}

/// What became of one request of a group; told once the group is committed.
pub(in crate::store) enum Done {
    Intent(Intent),
    Conclusion(bool),
    Outcome(Recorded),
}

/// Does what one asks for on SQLite.
pub(super) fn perform(transaction: &Connection, request: &Grouped) -> Result<Done, Fault> {
    match request {
        Grouped::Intent { delivery, now, .. } => {
            attempts::intent(transaction, *delivery, *now).map(Done::Intent)
        }
        Grouped::Conclusion {
            delivery,
            outcome,
            now,
            ..
        } => attempts::conclude(transaction, *delivery, outcome, *now).map(Done::Conclusion),
        Grouped::Outcome {
            attempt,
            outcome,
            now,
            ..
        } => attempts::outcome(transaction, *attempt, outcome, *now).map(Done::Outcome),
    }
}

/// Answers everyone in a group. Who no longer listens does not need to know.
pub(super) fn answer(group: Vec<Grouped>, done: Vec<Done>) {
    for (request, done) in group.into_iter().zip(done) {
        match (request, done) {
            (Grouped::Intent { answer, .. }, Done::Intent(intent)) => {
                drop(answer.send(Ok(intent)));
            }
            (Grouped::Conclusion { answer, .. }, Done::Conclusion(is_recorded)) => {
                drop(answer.send(Ok(is_recorded)));
            }
            (Grouped::Outcome { answer, .. }, Done::Outcome(recorded)) => {
                drop(answer.map(|answer| answer.send(Ok(recorded))));
            }
            // `perform` answers each kind in kind; dropping the sender says `Closed`.
            _ => {}
        }
    }
}

/// Refuses the intents of a group; hands back the rest.
pub(super) fn refuse_intents(group: Vec<Grouped>, error: &StoreError) -> Vec<Grouped> {
    let (intents, rest) = group
        .into_iter()
        .partition(|request| matches!(request, Grouped::Intent { .. }));
    drop(refuse(intents, error));
    rest
}

/// Tells everyone in a group that it failed; hands back its outcomes, which
/// can be committed later all the same.
pub(super) fn refuse(group: Vec<Grouped>, error: &StoreError) -> Vec<Grouped> {
    let mut outcomes = Vec::new();
    for request in group {
        match request {
            Grouped::Intent { answer, .. } => drop(answer.send(Err(error.clone()))),
            Grouped::Conclusion { answer, .. } => drop(answer.send(Err(error.clone()))),
            Grouped::Outcome {
                attempt,
                outcome,
                now,
                answer,
                kept,
            } => {
                drop(answer.map(|answer| answer.send(Err(error.clone()))));
                outcomes.push(Grouped::Outcome {
                    attempt,
                    outcome,
                    now,
                    answer: None,
                    kept,
                });
            }
        }
    }
    outcomes
}
