//! The ledger: who is on the list, what was frozen, and what became of every
//! message. Domain types at the border, SQL inside, and no SQL anywhere else.
//!
//! A [`Store`] is a cheap handle to one thread that owns the database. Intents
//! and outcomes share commits; everything else has a transaction of its own.

mod asking;
mod attempts;
mod beside;
mod choices;
mod codes;
mod consent;
mod copying;
mod deliveries;
mod departures;
mod digests;
mod erasing;
mod error;
mod freeze;
mod growth;
mod guards;
mod inbound;
mod issues;
mod joining;
mod lock;
mod moving;
mod notices;
mod opening;
mod outputs;
mod paces;
mod personal;
mod pings;
mod postgres;
mod pruning;
mod published;
mod publishing;
mod refused;
mod relays;
mod reports;
mod requests;
mod runs;
mod sending;
mod session;
mod signups;
mod slate;
mod sql;
mod sqlite;
mod standing;
mod subscribers;
mod surroundings;
#[cfg(test)]
mod tests;
mod verify;
mod wishes;
mod workers;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
    task::{Context, Poll},
    thread::JoinHandle,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretBox};
use tokio::sync::{oneshot, watch};

pub use self::{
    attempts::Recorded,
    beside::companion,
    choices::{ChoiceId, Chosen, Share},
    copying::Copied,
    deliveries::{CRASH, Expired, RESTORED, Recovered, Resent, Scope, UncertainDelivery},
    departures::Departure,
    digests::SlotFate,
    erasing::Erased,
    error::{Cause, ErrorClass, StoreError, Trouble},
    freeze::{Freeze, FreezeOutcome, Frozen, FrozenArticle},
    growth::Month,
    guards::Guarded,
    inbound::{
        Alarm, Applied, DeliverySpan, Effect, Fate, InboundMail, Leave, MailboxPlace, ReportCounts,
        ReportStory,
    },
    issues::{
        ChangeOutcome, Counts, EditionSummary, FrozenEdition, IssueChange, IssueKey, IssueSummary,
    },
    lock::{BuildLock, Held, LockError, RunLock},
    moving::{ComparedTable, MoveError, Moved, Stage},
    notices::{NoticeFreeze, WaitingAnswers},
    outputs::{Manifest, Output},
    paces::{Allowance, Refusal, SlowReceiver},
    personal::{PersonalData, Waiting},
    pings::{News, Ping, PingFate, WaitingPings},
    pruning::Prunable,
    relays::RelayMemory,
    reports::{Attempt, DeliveryStory, Event, LateAccept, Story, Suppression, Wording},
    runs::{Begun, Restored, Run},
    signups::Confirmed,
    slate::Slate,
    standing::Standing,
    subscribers::{Cursor, SubscriberPage, SuppressionReason, UnsubscribeOutcome},
    surroundings::{ServerFacts, Surroundings},
    wishes::Wishes,
    workers::{Lease, NewWorker, Worker},
};

use self::{
    error::Fault,
    moving::Move,
    opening::Access as Opening,
    session::Session,
    sql::{Access, Connection},
    writer::{Bell, Request},
};
use crate::config::settings::{Engine, StoreSettings};

/// A handle to the ledger. Clones share one database connection; when the last
/// one is dropped, everything that was asked is committed and the file closed.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    is_shared: bool,
    name: String,
    path: PathBuf,
    install_key: SecretBox<[u8; 32]>,
    /// See [`standing`].
    signature: standing::Signature,
    /// Taken when the handle is dropped, which ends the thread.
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    health: watch::Receiver<Health>,
    /// How many outcomes are kept in memory only.
    kept: Arc<AtomicU64>,
    hurry: Arc<AtomicBool>,
    bell: Arc<Bell>,
    /// How many attempts were asserted again before another server.
    asserted: Arc<AtomicU64>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // Outcomes that nobody waited for must be on disk before the end.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

/// How it stands with the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It cannot be reached, for this reason; what is asked waits for it.
    Away(String),
}

/// An answer that is on its way. What was asked is done whether or not the
/// receipt is awaited.
#[derive(Debug)]
pub struct Receipt<T>(oneshot::Receiver<Result<T, StoreError>>);

impl<T> Receipt<T> {
    /// The answer, if it is there.
    pub fn at_hand(&mut self) -> Option<Result<T, StoreError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(StoreError::Closed)),
        }
    }
}

impl<T> Future for Receipt<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

/// Opening, and what all requests share.
impl Store {
    /// Opens the ledger for reading and writing; makes it (for its owner alone)
    /// if it is not there, and brings an older schema up to date.
    ///
    /// # Errors
    /// When the path cannot hold a ledger, lies on a network file system, is
    /// damaged, cannot be written, or has a newer schema than this program.
    pub async fn open(settings: &StoreSettings, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let opened = Self::launch(settings, Opening::ReadWrite, false, now).await?;
        opened.ok_or(StoreError::Closed)
    }

    /// Opens the ledger as [`Store::open`], also where it was moved elsewhere: to
    /// accept what was left behind as the ledger.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_left(
        settings: &StoreSettings,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let opened = Self::launch(settings, Opening::ReadWrite, true, now).await?;
        opened.ok_or(StoreError::Closed)
    }

    /// Opens the ledger only to read it; `None` when there is none. Makes and
    /// changes nothing.
    ///
    /// # Errors
    /// As [`Store::open`]; an older schema is an error, too.
    pub async fn open_existing(
        settings: &StoreSettings,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, StoreError> {
        Self::launch(settings, Opening::ReadOnly, true, now).await
    }

    /// Opening waits for disks and locks: it has a thread of its own.
    async fn launch(
        settings: &StoreSettings,
        access: Opening,
        may_have_left: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, StoreError> {
        let (answer, opened) = oneshot::channel();
        let settings = settings.clone();
        let is_shared = matches!(settings.engine, Engine::Postgres(_));
        let (name, path) = (settings.name(), settings.path.clone());
        std::thread::spawn(move || {
            drop(answer.send(opening::open(&settings, access, may_have_left, now)));
        });
        let Some((session, key)) = opened.await.unwrap_or(Err(StoreError::Closed))? else {
            return Ok(None);
        };
        let mut signature = standing::Signature::default();
        opening::fill_random(&mut signature).map_err(|fault| fault.at(path.clone()))?;
        let health = session.health();
        let (kept, hurry) = (Arc::clone(&session.kept), session.hurry());
        let asserted = session.asserted();
        let bell = Arc::clone(&session.bell);
        let (requests, thread) =
            writer::start(session).map_err(|error| StoreError::system(path.clone(), error))?;
        Ok(Some(Self {
            inner: Arc::new(Inner {
                is_shared,
                name,
                path,
                install_key: SecretBox::new(Box::new(key)),
                signature,
                requests: Some(requests),
                thread: Some(thread),
                health,
                kept,
                hurry,
                bell,
                asserted,
            }),
        }))
    }

    /// Copies the ledger to a new file while others may write to it. Works for
    /// a ledger of any version; `None` when there is none. `progress` is told
    /// how many pages of how many are done.
    ///
    /// # Errors
    /// When the copy cannot be written, its name is taken, or the ledger or the
    /// copy does not add up.
    pub async fn backup(
        settings: &StoreSettings,
        to: PathBuf,
        progress: impl Fn(u64, u64) + Send + 'static,
    ) -> Result<Option<Copied>, StoreError> {
        let (answer, copied) = oneshot::channel();
        let settings = settings.clone();
        std::thread::spawn(move || {
            drop(answer.send(copying::copy(&settings, &to, &progress)));
        });
        copied.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Moves the ledger to another database, or goes on with that. `progress` is
    /// told how many rows of how many are done. For the holder of the run locks of
    /// both places only.
    ///
    /// # Errors
    /// When somebody is at work on it, the other place is taken, or a database
    /// fails; the same move goes on later.
    pub async fn move_to(
        source: &StoreSettings,
        target: &StoreSettings,
        now: DateTime<Utc>,
        progress: impl Fn(Stage, u64, u64) + Send + 'static,
    ) -> Result<Moved, MoveError> {
        let (source, target) = (source.clone(), target.clone());
        Self::moving(move || Move::open(&source, &target, now, &progress)?.run()).await
    }

    /// Gives up a move that is not finished; false when none had begun.
    ///
    /// # Errors
    /// When all of the ledger is at the other place already, or a database fails.
    pub async fn give_up_move(
        source: &StoreSettings,
        target: &StoreSettings,
        now: DateTime<Utc>,
    ) -> Result<bool, MoveError> {
        let (source, target) = (source.clone(), target.clone());
        Self::moving(move || Move::open(&source, &target, now, &|_, _, _| {})?.give_up()).await
    }

    /// Databases are waited for on a thread of their own.
    async fn moving<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, MoveError> + Send + 'static,
    ) -> Result<T, MoveError> {
        let (answer, done) = oneshot::channel();
        std::thread::spawn(move || drop(answer.send(work())));
        done.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    /// The ledger as people are told of it: its file, or its server without a
    /// login.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What the names of the files beside the ledger begin with: with SQLite, the
    /// path of its own.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Size of the log of changes beside the database. It only stays large
    /// while somebody reads for long.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        let log = beside::companion(&self.inner.path, "-wal");
        std::fs::metadata(log).map_or(0, |facts| facts.len())
    }

    /// How it stands with the database server, as it changes; always
    /// [`Health::Well`] with SQLite.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.health.clone()
    }

    /// How many outcomes are in the memory of this process only: they wait for a
    /// server that is away, or for the next commit.
    #[must_use]
    pub fn outcomes_kept(&self) -> u64 {
        self.inner.kept.load(Ordering::Relaxed)
    }

    /// How many attempts a server that took over had not heard of and was told,
    /// since this was last asked.
    #[must_use]
    pub fn take_asserted(&self) -> u64 {
        self.inner.asserted.swap(0, Ordering::Relaxed)
    }

    /// Waits no longer for a server that is away: the process is to end.
    pub fn hurry(&self) {
        self.inner.hurry.store(true, Ordering::Relaxed);
    }

    /// The secret under which tokens and Message-IDs of this ledger are made.
    #[must_use]
    pub fn install_key(&self) -> &[u8; 32] {
        self.inner.install_key.expose_secret()
    }

    fn send(&self, request: Request) {
        // A request that cannot be sent is dropped, and with it its answer:
        // the receipt then says `Closed`.
        if let Some(requests) = &self.inner.requests {
            let weight = request.weight();
            drop(requests.send(request));
            self.inner.bell.sent(weight);
        }
    }

    async fn session<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, receipt) = oneshot::channel();
        self.send(Request::Alone(Box::new(move |session| {
            drop(answer.send(work(session)));
        })));
        Receipt(receipt).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.session(|session| session.transact(Access::Write, work))
            .await
    }

    /// As [`Self::write`], for what builds ask about.
    async fn publish<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let signature = self.inner.signature;
        self.write(move |tx| {
            let done = work(tx)?;
            standing::advance(tx, &signature)?;
            Ok(done)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.session(|session| session.transact(Access::Read, work))
            .await
    }
}
