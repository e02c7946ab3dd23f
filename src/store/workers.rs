//! Several that deliver from one ledger. A worker claims a few deliveries at a
//! time; they are its own while its lease lasts, which a heartbeat renews apart
//! from everything else. Leases are by the database's clock; the worker's own
//! deadline is by its machine's, counted from before it asked.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    domain::delivery::DeliveryId,
    moment::Moment,
    store::{
        Recovered, Store, StoreError,
        error::Fault,
        postgres::{claims, lease},
        sql::Connection,
    },
};

/// Who enlists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorker {
    /// The name of its machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The relay that it is bound to, if it is.
    pub relay: Option<String>,
    /// The run that it is.
    pub run: i64,
}

/// A worker as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Its number, and its epoch: one that starts anew is a new one.
    pub epoch: i64,
    /// The name of its machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The relay that it is bound to, if it is.
    pub relay: Option<String>,
    /// For how long it has been at work, in seconds.
    pub seconds: u64,
    /// For how long its lease lasts without another sign of life, in seconds.
    pub lease_seconds: u64,
    /// Messages that relays took of it.
    pub sent: u64,
    /// Deliveries that it has claimed or has under way.
    pub in_hand: u64,
}

/// The right of this process to send what it has claimed.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The worker's number and epoch.
    pub epoch: i64,
    deadline: watch::Receiver<Option<Moment>>,
}

impl Lease {
    pub(super) fn new(epoch: i64, deadline: watch::Receiver<Option<Moment>>) -> Self {
        Self { epoch, deadline }
    }

    /// Whether it lasts at this moment. Once it does not, nothing more may be
    /// sent under it, though the heartbeat may not have heard of it.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.deadline.borrow().is_some_and(|end| !end.is_past())
    }

    /// Waits until it is lost.
    pub async fn lost(&mut self) {
        loop {
            let remaining = match *self.deadline.borrow_and_update() {
                Some(end) if !end.is_past() => end.remaining(),
                _ => return,
            };
            // Timers stand still while the machine sleeps: look again soon.
            let look = remaining.min(Duration::from_secs(1)) + Duration::from_millis(1);
            let changed = tokio::time::timeout(look, self.deadline.changed()).await;
            if matches!(changed, Ok(Err(_))) {
                return;
            }
        }
    }
}

/// Workers.
impl Store {
    /// Whether several processes may deliver at once: on a server they may, and
    /// there is no run lock.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.inner.is_shared
    }

    /// Makes this process a worker: from now on it claims what is due, and its
    /// intents are granted while its lease lasts. Enlisting again ends the lease
    /// before. `None` where nobody has to enlist.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn enlist(&self, worker: NewWorker) -> Result<Option<Lease>, StoreError> {
        self.session(move |session| session.enlist(&worker)).await
    }

    /// Gives back what is claimed and not begun, and ends the lease.
    ///
    /// # Errors
    /// When the server cannot be reached; then the lease ends by itself.
    pub async fn discharge(&self) -> Result<(), StoreError> {
        self.session(super::session::Session::discharge).await
    }

    /// Gives back claims that will not be sent now.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn release(&self, deliveries: Vec<DeliveryId>) -> Result<(), StoreError> {
        self.own(move |connection| match connection {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(link) => claims::release(link, &deliveries),
        })
        .await
    }

    /// Gives back every claim of this worker, whoever had it in hand.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn release_all(&self) -> Result<(), StoreError> {
        self.own(move |connection| {
            if let Connection::Postgres(link) = connection {
                claims::release_all(connection, link.worker())?;
            }
            Ok(())
        })
        .await
    }

    /// Queues claims again for later: their receivers are served slowly. It counts
    /// as no attempt.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn put_off(
        &self,
        deliveries: Vec<(DeliveryId, Duration)>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.own(move |connection| match connection {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(link) => claims::put_off(link, &deliveries, now),
        })
        .await
    }

    /// Takes up what workers left whose lease is over: what they had claimed is
    /// queued at once, what was under way is uncertain after as long again. Does
    /// nothing with a file, whose run lock says who is at work.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn reap(&self, now: DateTime<Utc>) -> Result<Recovered, StoreError> {
        self.own(move |connection| match connection {
            Connection::Sqlite(_) => Ok(Recovered::default()),
            Connection::Postgres(link) => lease::reap(connection, link.lease(), now),
        })
        .await
    }

    /// What the server's clock shows; `None` with a file.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn server_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.read(|connection| match connection {
            Connection::Sqlite(_) => Ok(None),
            Connection::Postgres(_) => lease::time(connection).map(Some),
        })
        .await
    }

    /// Who is at work, in the order they came; nobody is listed with a file.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn workers(&self) -> Result<Vec<Worker>, StoreError> {
        self.read(|connection| match connection {
            Connection::Sqlite(_) => Ok(Vec::new()),
            Connection::Postgres(_) => lease::at_work(connection),
        })
        .await
    }

    pub(super) async fn own<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.session(|session| session.transact_own(work)).await
    }
}
