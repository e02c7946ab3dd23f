//! An intent that a session asked for, at its time or one message ahead.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Shared;
use crate::{
    domain::delivery::{DeliveryId, Intent},
    moment::Moment,
    store::{Receipt, Store, StoreError},
};

/// An intent that was asked for ahead is not taken up later than this: the time of
/// one message over a quick relay.
pub(super) const FRESH: Duration = Duration::from_millis(20);

/// An intent that was asked for, and its answer once there is one.
pub(super) struct Asked {
    receipt: Receipt<Intent>,
    answer: Option<Result<Intent, StoreError>>,
    at: Moment,
    /// The moment for which it was asked: issues end at a time of day.
    now: DateTime<Utc>,
    /// What the feed had read by then.
    rereads: u64,
}

impl Asked {
    /// Asks for the intent of a message that can be sent.
    pub(super) fn now(shared: &Shared, delivery: DeliveryId) -> Self {
        Self::with(shared, |store, now| store.intent(delivery, now))
    }

    /// Asks for the intent of the message after the present one.
    pub(super) fn ahead(shared: &Shared, delivery: DeliveryId) -> Self {
        Self::with(shared, |store, now| store.intent_ahead(delivery, now))
    }

    fn with(shared: &Shared, ask: impl FnOnce(&Store, DateTime<Utc>) -> Receipt<Intent>) -> Self {
        let now = (shared.now)();
        Self {
            // Read first: what changes while it is asked for makes it stale.
            rereads: shared.feed.rereads(),
            at: Moment::now(),
            now,
            receipt: ask(&shared.store, now),
            answer: None,
        }
    }

    /// Whether it still stands: whoever leaves hears that nothing more is begun for
    /// them, and an issue that is paused is not sent on.
    pub(super) fn is_fresh(&self, shared: &Shared) -> bool {
        let is_young = self.at.elapsed() < FRESH;
        let by_clock = (shared.now)().signed_duration_since(self.now).abs();
        let is_of_now = by_clock.to_std().is_ok_and(|passed| passed < FRESH);
        is_young && is_of_now && self.rereads == shared.feed.rereads()
    }

    /// Waits for the answer.
    pub(super) async fn answered(&mut self, store: &Store) {
        if self.answer.is_none() {
            self.answer = self.receipt.at_hand();
        }
        if self.answer.is_none() {
            store.waited_for();
            self.answer = Some((&mut self.receipt).await);
        }
    }

    /// The answer.
    pub(super) async fn told(mut self, store: &Store) -> Result<Intent, StoreError> {
        self.answered(store).await;
        self.answer.unwrap_or(Err(StoreError::Closed))
    }
}
