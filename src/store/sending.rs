//! What the outbox asks of the ledger, in the order of a drain. Each answer is
//! durable when it arrives. Every request fails with a [`StoreError`] when the
//! database cannot be read or written.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::{
    domain::delivery::{AttemptId, DeliveryId, DueDelivery, Intent, IssueId, Outcome},
    store::{
        Expired, NoticeFreeze, Receipt, Recorded, Recovered, RelayMemory, Scope, Slate, Store,
        StoreError, WaitingAnswers, deliveries, issues, notices, refused, relays,
        writer::{Grouped, Kept, Request},
    },
};

/// The outbox.
impl Store {
    /// Makes every inflight delivery uncertain of which the [`Slate`] does not know
    /// better. Only for the holder of the [`crate::store::RunLock`], while it sends
    /// nothing: then they all belong to sessions that are gone. On a shared ledger
    /// this is [`Store::reap`].
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn recover(&self, now: DateTime<Utc>) -> Result<Recovered, StoreError> {
        self.session(move |session| session.recover(now)).await
    }

    /// What the sessions of a drain note before they end a message, and what they
    /// hear. Every drain asks, also one that wants none, so that the one before is not
    /// believed. Only for the holder of the [`crate::store::RunLock`], after
    /// [`Store::recover`]. `None` where nothing outlives the process, and on a shared
    /// ledger, where others could not read it.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn slate(&self, is_wanted: bool) -> Result<Option<Arc<Slate>>, StoreError> {
        self.session(move |session| session.begin_slate(is_wanted))
            .await
    }

    /// Up to `limit` deliveries of issues that are being sent and that are due,
    /// single mails and the longest waiting first, without those the caller has
    /// `in_hand`.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn due(
        &self,
        scope: Scope,
        limit: usize,
        now: DateTime<Utc>,
        in_hand: HashSet<DeliveryId>,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        self.own(move |tx| deliveries::due(tx, scope, limit, now, &in_hand))
            .await
    }

    /// Whether anything is due that nobody has claimed, also what [`Store::due`]
    /// passed by because other hands hold it for a moment.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn is_any_due(&self, scope: Scope, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.read(move |tx| deliveries::is_any_due(tx, scope, now))
            .await
    }

    /// How many deliveries of issues that are being sent are due.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn count_due(&self, scope: Scope, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.read(move |tx| deliveries::count_due(tx, scope, now))
            .await
    }

    /// Single mails that wait to be made.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn answers(&self) -> Result<Vec<WaitingAnswers>, StoreError> {
        self.read(notices::waiting).await
    }

    /// Forgets single mails that the publication does not send.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn forget_answers(&self, waiting: WaitingAnswers) -> Result<(), StoreError> {
        self.write(move |tx| notices::forget(tx, &waiting)).await
    }

    /// The newest issue of the digest that readers wait for, without those who
    /// have it.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn latest_issue(
        &self,
        waiting: WaitingAnswers,
        now: DateTime<Utc>,
    ) -> Result<Option<IssueId>, StoreError> {
        self.write(move |tx| {
            let latest = notices::latest(tx, &waiting.digest, now)?;
            if let Some(issue) = latest {
                notices::forget_holders(tx, &waiting, issue)?;
            }
            Ok(latest)
        })
        .await
    }

    /// Makes deliveries of single mails that wait, in one transaction; says how
    /// many.
    ///
    /// # Errors
    /// See the head of this module; then they wait as before.
    pub async fn freeze_notice(
        &self,
        notice: NoticeFreeze,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.write(move |tx| notices::freeze(tx, &notice, now))
            .await
    }

    /// Empties the editions of single mails that are done with.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn tidy_notices(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| notices::tidy(tx, now)).await
    }

    /// How many deliveries of issues that are being sent wait, due or not.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn count_queued(&self) -> Result<u64, StoreError> {
        self.read(issues::count_queued).await
    }

    /// Queues refused deliveries again: everybody was told the same, so it was
    /// not the people.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn withdraw_rejections(
        &self,
        deliveries: Vec<DeliveryId>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| deliveries::withdraw_rejections(tx, &deliveries, now))
            .await
    }

    /// What earlier runs learned about each relay.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn relays(&self) -> Result<Vec<RelayMemory>, StoreError> {
        self.read(relays::all).await
    }

    /// Keeps what this run learned about its relays.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn keep_relays(&self, learned: Vec<RelayMemory>) -> Result<(), StoreError> {
        self.write(move |tx| relays::keep(tx, &learned)).await
    }

    /// Looks back over the issues of readers whose deliveries these are, and
    /// suppresses whom they never reach, or of whom `hard_limit` of them said that
    /// the address is bad; says how many.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn suppress_unreachable(
        &self,
        deliveries: Vec<DeliveryId>,
        hard_limit: u32,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.write(move |tx| refused::suppress_unreachable(tx, &deliveries, hard_limit, now))
            .await
    }

    /// When the next queued delivery of an issue that is being sent is due; in
    /// the past while some are.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.read(deliveries::next_due).await
    }

    /// Expires what is queued beyond its issue's time. An issue of which most
    /// was never tried is paused instead.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn expire(&self, now: DateTime<Utc>) -> Result<Expired, StoreError> {
        self.write(move |tx| deliveries::expire(tx, now)).await
    }

    /// Asks to send a delivery. Once the receipt says `Granted`, the intent is
    /// on stable storage and this attempt may send the final dot. Intents that
    /// wait share a commit.
    pub fn intent(&self, delivery: DeliveryId, now: DateTime<Utc>) -> Receipt<Intent> {
        self.ask(delivery, now, false)
    }

    /// Asks to send a delivery after the one that is under way. It may take until
    /// [`Store::waited_for`] says that its time has come.
    pub fn intent_ahead(&self, delivery: DeliveryId, now: DateTime<Utc>) -> Receipt<Intent> {
        self.ask(delivery, now, true)
    }

    fn ask(&self, delivery: DeliveryId, now: DateTime<Utc>, is_ahead: bool) -> Receipt<Intent> {
        let (answer, receipt) = oneshot::channel();
        self.send(Request::Grouped(Grouped::Intent {
            delivery,
            now,
            is_ahead,
            answer,
        }));
        Receipt(receipt)
    }

    /// Somebody waits for an intent that was asked for ahead.
    pub fn waited_for(&self) {
        self.inner.bell.waited_for();
    }

    /// Records a delivery that ended before it had an intent: one attempt, begun
    /// and ended in the same commit. False when an intent would be refused;
    /// then nothing is recorded.
    pub fn conclude(
        &self,
        delivery: DeliveryId,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Receipt<bool> {
        let (answer, receipt) = oneshot::channel();
        self.send(Request::Grouped(Grouped::Conclusion {
            delivery,
            outcome,
            now,
            answer,
        }));
        Receipt(receipt)
    }

    /// Records how an attempt ended. The receipt may be awaited later or not at
    /// all: an outcome that is lost is on the [`Slate`], or makes a delivery
    /// uncertain; it is never sent twice. An outcome whose commit failed goes with
    /// the next one that succeeds, or with a last try when the ledger is closed.
    pub fn outcome(
        &self,
        attempt: AttemptId,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Receipt<Recorded> {
        let (answer, receipt) = oneshot::channel();
        self.send(Request::Grouped(Grouped::Outcome {
            attempt,
            outcome,
            now,
            answer: Some(answer),
            kept: Kept::of(&self.inner.kept),
        }));
        Receipt(receipt)
    }
}
