//! Hands due deliveries to the sessions, each to one only.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::sync::{Mutex, Notify};

use super::Now;
use crate::{
    domain::delivery::{DeliveryId, DueDelivery},
    store::{Store, StoreError},
};

/// So many rows are read from the ledger at once.
const BATCH: usize = 500;
/// A delivery that lost so many sessions in one run waits like a deferred one.
const MOST_REQUEUES: u32 = 3;

/// The queue of one drain.
pub(super) struct Feed {
    store: Store,
    now: Now,
    state: Mutex<State>,
    released: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<DueDelivery>,
    /// What each session holds.
    hands: HashMap<usize, DeliveryId>,
    requeues: HashMap<DeliveryId, u32>,
}

impl Feed {
    pub(super) fn new(store: Store, now: Now) -> Self {
        Self {
            store,
            now,
            state: Mutex::default(),
            released: Notify::new(),
        }
    }

    /// The next delivery for session `worker`; `None` when nothing is due and
    /// nobody holds anything that might come back.
    pub(super) async fn next(&self, worker: usize) -> Result<Option<DueDelivery>, StoreError> {
        loop {
            let released = self.released.notified();
            {
                let mut state = self.state.lock().await;
                if state.waiting.is_empty() {
                    let held: HashSet<DeliveryId> = state.hands.values().copied().collect();
                    state.waiting = self.store.due(BATCH, (self.now)(), held).await?.into();
                }
                if let Some(delivery) = state.waiting.pop_front() {
                    state.hands.insert(worker, delivery.id);
                    return Ok(Some(delivery));
                }
                if state.hands.is_empty() {
                    return Ok(None);
                }
            }
            released.await;
        }
    }

    /// Session `worker` is done with its delivery, one way or another.
    pub(super) async fn release(&self, worker: usize) {
        self.state.lock().await.hands.remove(&worker);
        self.released.notify_waiters();
    }

    /// What session `worker` holds.
    pub(super) async fn in_hand(&self, worker: usize) -> Option<DeliveryId> {
        self.state.lock().await.hands.get(&worker).copied()
    }

    /// Counts a lost session against a delivery; true when it was one too many.
    pub(super) async fn is_poisonous(&self, delivery: DeliveryId) -> bool {
        let mut state = self.state.lock().await;
        let count = state.requeues.entry(delivery).or_default();
        *count += 1;
        *count >= MOST_REQUEUES
    }

    /// Forgets what was read ahead: an issue was paused, or rows changed.
    pub(super) async fn reread(&self) {
        self.state.lock().await.waiting.clear();
    }
}
