//! Hands due deliveries to the sessions, each to one only.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Now,
    common::{self, Receivers},
    enlistment::{Enlistment, Permit},
    locked,
};
use crate::{
    domain::delivery::{DeliveryId, DueDelivery, Reply},
    store::{Scope, Store, StoreError},
};

/// So many rows are read from the ledger at once.
const BATCH: usize = 500;
/// So many are claimed at once where others deliver, too: for each session, but
/// within these bounds. A worker that is lost holds up few.
const CLAIMS_PER_SESSION: usize = 10;
const CLAIMS: (usize, usize) = (50, 200);
/// How long what others lock is left to them.
const MOMENT: Duration = Duration::from_millis(200);
/// A delivery that lost so many sessions in one run waits like a deferred one.
const MOST_REQUEUES: u32 = 3;

/// The queue of one drain.
pub(super) struct Feed {
    store: Store,
    enlistment: Arc<Enlistment>,
    scope: Scope,
    /// So many are taken from the ledger at once.
    batch: usize,
    now: Now,
    state: Mutex<State>,
    receivers: Mutex<Receivers>,
    /// One at a time reads from the ledger.
    reading: tokio::sync::Mutex<()>,
    released: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<DueDelivery>,
    /// What each session holds, the present one first.
    hands: HashMap<usize, Vec<DeliveryId>>,
    /// Of those, the ones whose intent is durable.
    begun: HashSet<DeliveryId>,
    requeues: HashMap<DeliveryId, u32>,
    /// How often what was read ahead was forgotten.
    rereads: u64,
}

/// What the ledger has for the sessions.
enum Due {
    Something,
    /// Only what sessions hold, which may come back.
    WhatIsHeld,
    /// Only what others lock for a moment, who may be about to claim it.
    WhatOthersHold,
    Nothing,
}

impl State {
    fn take(&mut self, worker: usize) -> Option<DueDelivery> {
        let delivery = self.waiting.pop_front()?;
        self.hands.entry(worker).or_default().push(delivery.id);
        Some(delivery)
    }

    fn let_go(&mut self, worker: usize, delivery: DeliveryId) {
        self.begun.remove(&delivery);
        if let Some(held) = self.hands.get_mut(&worker) {
            held.retain(|id| *id != delivery);
            if held.is_empty() {
                self.hands.remove(&worker);
            }
        }
    }
}

impl Feed {
    pub(super) fn new(
        enlistment: Arc<Enlistment>,
        store: Store,
        scope: Scope,
        sessions: usize,
        now: Now,
    ) -> Self {
        let (fewest, most) = CLAIMS;
        let batch = match store.is_shared() {
            true => (sessions * CLAIMS_PER_SESSION).clamp(fewest, most),
            false => BATCH,
        };
        Self {
            store,
            enlistment,
            scope,
            batch,
            now,
            state: Mutex::default(),
            receivers: Mutex::default(),
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
            if !self.enlistment.permit().lasts() {
                self.enlist_anew().await?;
            }
            if let Some(delivery) = self.at_hand(worker) {
                return Ok(Some(delivery));
            }
            match self.read().await? {
                Due::Something => {}
                Due::WhatIsHeld => released.await,
                Due::WhatOthersHold => tokio::time::sleep(MOMENT).await,
                Due::Nothing => return Ok(None),
            }
        }
    }

    /// The next delivery, if one was read already.
    pub(super) fn at_hand(&self, worker: usize) -> Option<DueDelivery> {
        self.lock().take(worker)
    }

    /// Under which lease deliveries are given out now.
    pub(super) fn permit(&self) -> Permit {
        self.enlistment.permit()
    }

    /// The lease is lost, and with it everything that was claimed and not begun.
    async fn enlist_anew(&self) -> Result<(), StoreError> {
        let _alone = self.reading.lock().await;
        if self.enlistment.permit().lasts() {
            return Ok(());
        }
        let dropped = {
            let mut state = self.lock();
            let waiting = std::mem::take(&mut state.waiting).len();
            let held = state.hands.values().flatten();
            waiting + held.filter(|id| !state.begun.contains(id)).count()
        };
        self.enlistment.renew(dropped).await
    }

    /// A claim is dropped whose lease was lost before it had an intent.
    pub(super) fn dropped(&self, permit: &Permit) {
        self.enlistment.dropped(permit);
    }

    /// The intent of a delivery is durable.
    pub(super) fn begun(&self, delivery: DeliveryId) {
        self.lock().begun.insert(delivery);
    }

    /// Lets others have what was claimed and is in nobody's hands.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub(super) async fn give_back(&self) -> Result<(), StoreError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.lock().waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let ids = waiting.into_iter().map(|delivery| delivery.id).collect();
        self.store.release(ids).await
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
            .due(self.scope, self.batch, (self.now)(), held)
            .await?;
        if due.is_empty() && is_held {
            return Ok(Due::WhatIsHeld);
        }
        if due.is_empty() {
            let is_passed_by =
                self.store.is_shared() && self.store.is_any_due(self.scope, (self.now)()).await?;
            return Ok(match is_passed_by {
                true => Due::WhatOthersHold,
                false => Due::Nothing,
            });
        }
        let due = match self.store.is_shared() {
            true => self.paced(due).await?,
            false => due,
        };
        self.lock().waiting.extend(due);
        Ok(Due::Something)
    }

    /// What may leave now; what goes to receivers that are served slowly waits in
    /// the ledger.
    async fn paced(&self, due: Vec<DueDelivery>) -> Result<Vec<DueDelivery>, StoreError> {
        let refusals = locked(&self.receivers).take();
        let wanted = common::by_domain(&due);
        let allowances = self.store.receivers(refusals, wanted).await?;
        let (due, later) = common::part(due, allowances);
        if !later.is_empty() {
            self.store.put_off(later, (self.now)()).await?;
        }
        Ok(due)
    }

    /// A receiver put a message off: all who send to it hear of it.
    pub(super) fn refused(&self, domain: &str, reply: &Reply) {
        if self.store.is_shared() {
            locked(&self.receivers).refused(domain, reply);
        }
    }

    /// Tells the others what receivers said last.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub(super) async fn tell_refusals(&self) -> Result<(), StoreError> {
        let refusals = locked(&self.receivers).take();
        if !refusals.is_empty() {
            self.store.receivers(refusals, Vec::new()).await?;
        }
        Ok(())
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
        let mut state = self.lock();
        for held in state.hands.remove(&worker).unwrap_or_default() {
            state.begun.remove(&held);
        }
        drop(state);
        self.released.notify_waiters();
    }

    /// Counts a lost session against a delivery; true when it was one too many.
    pub(super) fn is_poisonous(&self, delivery: DeliveryId) -> bool {
        let mut state = self.lock();
        let count = state.requeues.entry(delivery).or_default();
        *count += 1;
        *count >= MOST_REQUEUES
    }

    /// Forgets what was read ahead: an issue was paused, or rows changed. Sessions
    /// that wait for what others hold look again, too.
    pub(super) fn reread(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.rereads += 1;
        drop(state);
        self.released.notify_waiters();
    }

    /// Another number each time that an issue was paused, or rows changed.
    pub(super) fn rereads(&self) -> u64 {
        self.lock().rereads
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}
