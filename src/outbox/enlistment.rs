//! The right to deliver beside others: a lease, and a new one when it was lost.
//! On a ledger that one process has to itself there is none, and none is lost.

use std::{
    mem,
    sync::{Mutex, MutexGuard},
};

use super::locked;
use crate::store::{Lease, NewWorker, Store, StoreError};

/// A lease that was over before this process had kept it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostLease {
    /// The worker's number and epoch.
    pub epoch: i64,
    /// What it had claimed and not begun.
    pub dropped: usize,
}

/// This process among those who deliver.
pub struct Enlistment {
    store: Store,
    worker: NewWorker,
    state: Mutex<State>,
}

struct State {
    lease: Option<Lease>,
    /// What sessions dropped since the lease was lost.
    dropped: usize,
    lost: Vec<LostLease>,
}

impl Enlistment {
    /// Enlists `worker`, where several may deliver at once.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn new(store: Store, worker: NewWorker) -> Result<Self, StoreError> {
        let lease = store.enlist(worker.clone()).await?;
        Ok(Self {
            store,
            worker,
            state: Mutex::new(State {
                lease,
                dropped: 0,
                lost: Vec::new(),
            }),
        })
    }

    /// The worker's number; `None` on a ledger that one process has to itself.
    #[must_use]
    pub fn epoch(&self) -> Option<i64> {
        Some(self.lock().lease.as_ref()?.epoch)
    }

    /// What was lost since this was last asked.
    #[must_use]
    pub fn take_lost(&self) -> Vec<LostLease> {
        mem::take(&mut self.lock().lost)
    }

    /// Gives back what is claimed and not begun, and ends the lease. What is
    /// still under way is uncertain with the next look at lost workers.
    ///
    /// # Errors
    /// When the server cannot be reached; then the lease ends by itself.
    pub async fn end(&self) -> Result<(), StoreError> {
        self.store.discharge().await
    }

    /// What is taken in hand now is sent under this.
    pub(super) fn permit(&self) -> Permit {
        Permit(self.lock().lease.clone())
    }

    /// Enlists anew after a lease was lost with so many claims.
    pub(super) async fn renew(&self, dropped: usize) -> Result<(), StoreError> {
        let lease = self.store.enlist(self.worker.clone()).await?;
        let mut state = self.lock();
        let dropped = dropped + mem::take(&mut state.dropped);
        if let Some(lost) = mem::replace(&mut state.lease, lease) {
            let epoch = lost.epoch;
            state.lost.push(LostLease { epoch, dropped });
        }
        Ok(())
    }

    /// A session dropped a claim whose lease was lost.
    pub(super) fn dropped(&self, permit: &Permit) {
        let mut state = self.lock();
        let epoch = |lease: &Option<Lease>| lease.as_ref().map(|lease| lease.epoch);
        // Of an earlier lease everything was counted when it was given up.
        if epoch(&state.lease) == epoch(&permit.0) {
            state.dropped += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

/// Under which lease a delivery was taken in hand.
#[derive(Debug, Clone)]
pub(super) struct Permit(Option<Lease>);

impl Permit {
    /// Whether a message may still be completed under it.
    pub(super) fn lasts(&self) -> bool {
        self.0.as_ref().is_none_or(Lease::lasts)
    }

    /// Waits until it is lost.
    pub(super) async fn lost(&self) {
        match self.0.clone() {
            Some(mut lease) => lease.lost().await,
            None => std::future::pending().await,
        }
    }
}
