//! What can be asked of the ledger by readers themselves, who are known by what
//! their links say. Every request fails with a [`StoreError`] when the database
//! cannot be read or written.

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::{
    domain::subscriber::SubscriberId,
    store::{
        Counts, Departure, Receipt, Store, StoreError, UnsubscribeOutcome, Wisher, Wishes,
        departures::Leaver, issues, sqlite::writer::Request, wishes,
    },
};

impl Store {
    /// Lets a reader go and cancels what is queued of what they left. Doing it
    /// again changes nothing; somebody who is not known leaves nothing. While
    /// the database stays busy for longer than a moment, it is noted beside it:
    /// on stable storage either way when the answer comes.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn leave(
        &self,
        reader: SubscriberId,
        departure: Departure,
        source: &str,
        now: DateTime<Utc>,
    ) -> Result<UnsubscribeOutcome, StoreError> {
        let (answer, receipt) = oneshot::channel();
        self.send(Request::Leave(Leaver {
            reader,
            departure,
            source: source.to_owned(),
            now,
            answer,
        }));
        Receipt(receipt).await
    }

    /// What a reader wants to get; `None` for who is not known, or erased.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn wishes(
        &self,
        reader: SubscriberId,
        now: DateTime<Utc>,
    ) -> Result<Option<Wisher>, StoreError> {
        self.read(move |tx| wishes::find(tx, reader, now)).await
    }

    /// Keeps what a reader wants from the next issue on; `false` when it was so
    /// before, or there is no such reader.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn wish(
        &self,
        reader: SubscriberId,
        wishes: Wishes,
        source: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let source = source.to_owned();
        self.write(move |tx| wishes::keep(tx, reader, &wishes, &source, now))
            .await
    }

    /// Deliveries of all issues by state, at a cost that does not grow with the
    /// list.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn deliveries_by_state(&self) -> Result<Counts, StoreError> {
        self.read(issues::all_counts).await
    }
}
