//! How fast all workers of a ledger together may go: through a relay, and to
//! receivers that asked for less. Asked for by groups of messages.

use std::time::Duration;

use serde::Serialize;

use crate::store::{Store, StoreError, postgres::paces, sql::Connection};

/// That a receiver put messages off, since this was last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The part of addresses after the `@`.
    pub domain: String,
    /// How many messages.
    pub count: u64,
    /// Whether it asked for less outright.
    pub is_firm: bool,
    /// Its last words.
    pub reply: String,
}

/// How many messages to a receiver that is served slowly may leave now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The part of addresses after the `@`.
    pub domain: String,
    /// So many.
    pub now: usize,
    /// Then the next, after so long.
    pub next: Duration,
    /// And each after that.
    pub step: Duration,
}

/// A receiver that is served slowly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlowReceiver {
    /// The part of addresses after the `@`.
    pub domain: String,
    /// Messages that it put off of late.
    pub refusals: u64,
    /// One message leaves in so many milliseconds.
    pub step_ms: u64,
    /// Its last words.
    pub reply: String,
}

/// The common pace. A file is for one process, which keeps its own.
impl Store {
    /// Takes the next `count` messages through a relay, of which each takes `step`;
    /// says after how long the first may leave.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn take_pace(
        &self,
        relay: String,
        count: u32,
        step: Duration,
    ) -> Result<Duration, StoreError> {
        self.own(move |connection| match connection {
            Connection::Sqlite(_) => Ok(Duration::ZERO),
            Connection::Postgres(_) => paces::take(connection, &relay, count, step),
        })
        .await
    }

    /// A relay asked for a rest: nobody sends through it for a while, which grows
    /// when it asks again.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn rest_relay(&self, relay: String, reply: String) -> Result<(), StoreError> {
        self.own(move |connection| match connection {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(_) => paces::rest(connection, &relay, &reply),
        })
        .await
    }

    /// Tells which receivers put messages off, and asks how many may leave to those
    /// of `wanted` that are served slowly; the others are not in the answer.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn receivers(
        &self,
        refusals: Vec<Refusal>,
        wanted: Vec<(String, usize)>,
    ) -> Result<Vec<Allowance>, StoreError> {
        self.own(move |connection| match connection {
            Connection::Sqlite(_) => Ok(Vec::new()),
            Connection::Postgres(link) => {
                for refusal in &refusals {
                    paces::refused(connection, refusal)?;
                }
                paces::allow(link, &wanted)
            }
        })
        .await
    }

    /// Receivers that are served slowly, the slowest first.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn slow_receivers(&self) -> Result<Vec<SlowReceiver>, StoreError> {
        self.read(|connection| match connection {
            Connection::Sqlite(_) => Ok(Vec::new()),
            Connection::Postgres(_) => paces::slow(connection),
        })
        .await
    }
}
