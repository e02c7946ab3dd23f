//! The lease of a process that is a worker.

use std::sync::atomic::Ordering;

use super::Session;
use crate::{
    moment::Moment,
    store::{
        error::StoreError,
        postgres::lease,
        sql::Connection,
        workers::{Lease, NewWorker},
    },
};

impl Session {
    /// Makes this process a worker; see [`crate::store::Store::enlist`].
    pub(in crate::store) fn enlist(
        &mut self,
        worker: &NewWorker,
    ) -> Result<Option<Lease>, StoreError> {
        let Some(server) = self.server.clone() else {
            return Ok(None);
        };
        self.discharge()?;
        let entered = Moment::now();
        let epoch =
            self.transact_own(|connection| lease::enter(connection, worker, server.lease))?;
        let Connection::Postgres(link) = &self.connection else {
            return Ok(None);
        };
        let heartbeat = lease::keep_up(link, &server, epoch, entered)?;
        let kept = Lease::new(epoch, heartbeat.deadline.clone());
        self.be_worker(epoch);
        self.heartbeat = Some(heartbeat);
        Ok(Some(kept))
    }

    /// Ends the lease of this process, if it has one.
    pub(in crate::store) fn discharge(&mut self) -> Result<(), StoreError> {
        let Some(heartbeat) = self.heartbeat.take() else {
            return Ok(());
        };
        let Connection::Postgres(link) = &self.connection else {
            return Ok(());
        };
        let (worker, sent) = (link.worker(), heartbeat.sent.load(Ordering::Relaxed));
        drop(heartbeat);
        let ended = self.transact_own(|connection| lease::end(connection, worker, sent));
        // Only now: what is asserted again meanwhile is this worker's.
        self.be_worker(0);
        ended
    }

    fn be_worker(&self, worker: i64) {
        if let Connection::Postgres(link) = &self.connection {
            link.set_worker(worker);
        }
    }

    /// Counts messages that relays took, for those who watch.
    pub(in crate::store) fn count_sent(&self, sent: usize) {
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.sent.fetch_add(sent as u64, Ordering::Relaxed);
        }
    }
}
