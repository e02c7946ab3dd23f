//! Hands due deliveries to the sessions, each to one only.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::{Now, locked};
use crate::{
    domain::delivery::{DeliveryId, DueDelivery},
    store::{Scope, Store, StoreError},
};

/// So many rows are read from the ledger at once.
const BATCH: usize = 500;
/// A delivery that lost so many sessions in one run waits like a deferred one.
const MOST_REQUEUES: u32 = 3;

/// The queue of one drain.
pub(super) struct Feed {
    store: Store,
    scope: Scope,
    now: Now,
    state: Mutex<State>,
    /// One at a time reads from the ledger.
    reading: tokio::sync::Mutex<()>,
    released: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<DueDelivery>,
    /// What each session holds, the present one first.
    hands: HashMap<usize, Vec<DeliveryId>>,
    requeues: HashMap<DeliveryId, u32>,
}

/// What the ledger has for the sessions.
enum Due {
    Something,
    /// Only what sessions hold, which may come back.
    WhatIsHeld,
    Nothing,
}

impl State {
    fn take(&mut self, worker: usize) -> Option<DueDelivery> {
        let delivery = self.waiting.pop_front()?;
        self.hands.entry(worker).or_default().push(delivery.id);
        Some(delivery)
    }

    fn let_go(&mut self, worker: usize, delivery: DeliveryId) {
        if let Some(held) = self.hands.get_mut(&worker) {
            held.retain(|id| *id != delivery);
            if held.is_empty() {
                self.hands.remove(&worker);
            }
        }
    }
}

impl Feed {
    pub(super) fn new(store: Store, scope: Scope, now: Now) -> Self {
        Self {
            store,
            scope,
            now,
            state: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            released: Notify::new(),
        }
    }

    /// What is sent.
    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// The next delivery for session `worker`; `None` when nothing is due and
    /// nobody holds anything that might come back.
    pub(super) async fn next(&self, worker: usize) -> Result<Option<DueDelivery>, StoreError> {
        loop {
            let released = self.released.notified();
            if let Some(delivery) = self.at_hand(worker) {
                return Ok(Some(delivery));
            }
            match self.read().await? {
                Due::Something => {}
                Due::WhatIsHeld => released.await,
                Due::Nothing => return Ok(None),
            }
        }
    }

    /// The next delivery, if one was read already.
    pub(super) fn at_hand(&self, worker: usize) -> Option<DueDelivery> {
        self.lock().take(worker)
    }

    /// Reads what is due from the ledger, unless something waits meanwhile.
    async fn read(&self) -> Result<Due, StoreError> {
        let _alone = self.reading.lock().await;
        let held: HashSet<DeliveryId> = {
            let state = self.lock();
            if !state.waiting.is_empty() {
                return Ok(Due::Something);
            }
            state.hands.values().flatten().copied().collect()
        };
        let is_held = !held.is_empty();
        let due = self
            .store
            .due(self.scope, BATCH, (self.now)(), held)
            .await?;
        if due.is_empty() {
            return Ok(if is_held {
                Due::WhatIsHeld
            } else {
                Due::Nothing
            });
        }
        self.lock().waiting.extend(due);
        Ok(Due::Something)
    }

    /// Session `worker` is done with a delivery, one way or another.
    pub(super) fn release(&self, worker: usize, delivery: DeliveryId) {
        self.lock().let_go(worker, delivery);
        self.released.notify_waiters();
    }

    /// Session `worker` has not touched this delivery: another one may have it.
    pub(super) fn put_back(&self, worker: usize, delivery: DueDelivery) {
        let mut state = self.lock();
        state.let_go(worker, delivery.id);
        state.waiting.push_front(delivery);
        drop(state);
        self.released.notify_waiters();
    }

    /// How many sessions hold a delivery.
    pub(super) fn busy(&self) -> usize {
        self.lock().hands.len()
    }

    /// What session `worker` is busy with.
    pub(super) fn in_hand(&self, worker: usize) -> Option<DeliveryId> {
        self.lock().hands.get(&worker)?.first().copied()
    }

    /// Session `worker` is gone, with everything it held.
    pub(super) fn abandon(&self, worker: usize) {
        self.lock().hands.remove(&worker);
        self.released.notify_waiters();
    }

    /// Counts a lost session against a delivery; true when it was one too many.
    pub(super) fn is_poisonous(&self, delivery: DeliveryId) -> bool {
        let mut state = self.lock();
        let count = state.requeues.entry(delivery).or_default();
        *count += 1;
        *count >= MOST_REQUEUES
    }

    /// Forgets what was read ahead: an issue was paused, or rows changed.
    pub(super) fn reread(&self) {
        self.lock().waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}
