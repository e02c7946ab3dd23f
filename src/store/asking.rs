//! What can be asked of the ledger by readers themselves, who are known by what
//! their links say. Every request fails with a [`StoreError`] when the database
//! cannot be read or written.

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::{
    domain::{
        article::Slug,
        consent::{Evidence, SignUp, Who},
        delivery::DeliveryId,
        subscriber::{Subscriber, SubscriberId},
    },
    store::{
        Confirmed, Counts, Departure, Erased, PersonalData, Receipt, Store, StoreError,
        UnsubscribeOutcome, Wishes, departures::Leaver, erasing, issues, personal, signups, wishes,
        writer::Request,
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
        evidence: impl Into<Evidence>,
        now: DateTime<Utc>,
    ) -> Result<UnsubscribeOutcome, StoreError> {
        let (answer, receipt) = oneshot::channel();
        self.send(Request::Leave(Leaver {
            reader,
            departure,
            evidence: evidence.into(),
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
    ) -> Result<Option<Subscriber>, StoreError> {
        self.read(move |tx| {
            let known = wishes::find(tx, reader, now)?;
            Ok(known.map(|(_, reader)| reader))
        })
        .await
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
        evidence: impl Into<Evidence>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let evidence = evidence.into();
        self.write(move |tx| wishes::keep(tx, reader, &wishes, &evidence, now))
            .await
    }

    /// Somebody asks to join, in a reader's name. Whatever is known of the
    /// address, the answer is the same: only its owner hears more, by one mail
    /// at most in a day, and three in all until they say yes.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn sign_up(
        &self,
        ask: SignUp,
        evidence: Evidence,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let key = *self.install_key();
        self.write(move |tx| signups::sign_up(tx, &key, &ask, &evidence, now))
            .await
    }

    /// Which digest a reader is asked about, while a yes would still count: for
    /// the page that asks. Changes nothing.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn asked_about(
        &self,
        reader: SubscriberId,
        now: DateTime<Utc>,
    ) -> Result<Option<Slug>, StoreError> {
        self.read(move |tx| signups::asked_about(tx, reader, now))
            .await
    }

    /// The reader says yes: makes them active, whatever their status was.
    /// `asked` is the mail that they answer. `None` when nothing waits for that: it
    /// was said before, too late, to an older request than the newest, or
    /// they reported our mail, or asked that nobody writes again.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn confirm(
        &self,
        reader: SubscriberId,
        asked: DeliveryId,
        evidence: Evidence,
        now: DateTime<Utc>,
    ) -> Result<Option<Confirmed>, StoreError> {
        let key = *self.install_key();
        self.write(move |tx| signups::confirm(tx, &key, (reader, asked), &evidence, now))
            .await
    }

    /// Forgets who did not confirm within a week; says how many.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn forget_unconfirmed(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.write(move |tx| signups::forget(tx, now)).await
    }

    /// Everything that the ledger holds about one person; `None` when that is
    /// nothing.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn personal_data(&self, who: Who) -> Result<Option<PersonalData>, StoreError> {
        let key = *self.install_key();
        self.read(move |tx| personal::of(tx, &key, &who)).await
    }

    /// Removes everything of one person from the ledger and the files beside
    /// it but a keyed hash of the address. Doing it again changes nothing.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn erase(
        &self,
        who: Who,
        evidence: impl Into<Evidence>,
        now: DateTime<Utc>,
    ) -> Result<Erased, StoreError> {
        let (key, evidence) = (*self.install_key(), evidence.into());
        self.session(move |session| erasing::erase(session, &key, &who, &evidence, now))
            .await
    }

    /// Wipes the files after an erasure that could not do it.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn finish_erasing(&self) -> Result<bool, StoreError> {
        self.session(erasing::finish).await
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
