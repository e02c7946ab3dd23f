//! Turns queued deliveries into sent mail: claims what is due, makes an intent
//! durable before each terminating dot, and records what the relay said.
//!
//! Sessions run side by side, each with at most one undecided message; so a
//! process that is killed leaves at most as many uncertain deliveries as there are
//! sessions.

mod asked;
mod bounces;
mod breaker;
mod common;
mod compose;
mod control;
mod endings;
mod enlistment;
mod feed;
mod fleet;
mod folder;
mod issues;
mod quota;
mod refusals;
mod report;
mod sender;
mod settle;
#[cfg(test)]
mod tests;
mod verdict;
mod worker;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::{
    sync::watch,
    task::{self, JoinSet},
};

use self::{
    bounces::Bounces,
    common::CommonPace,
    control::{Control, Seat},
    feed::Feed,
    fleet::Fleet,
    issues::Issues,
    refusals::Refusals,
    report::Halt,
};
pub use self::{
    control::Waiting,
    enlistment::{Enlistment, LostLease},
    report::{Ending, PausedIssue, Report, Tally, Why},
};
use crate::{
    config::settings::{MailSettings, Relay, RelaySettings},
    domain::delivery::DeliveryId,
    links::Signer,
    mail::{
        dkim::{CryptoError, Keys, Mismatch},
        smtp::{Dialer, DialerError, Trouble},
    },
    store::{Scope, Slate, Store, StoreError},
};

/// What a session's trouble would end a run with.
#[must_use]
pub fn why(trouble: &Trouble) -> Why {
    verdict::why(trouble)
}

/// The clock, as an argument.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
/// A source of numbers in 0.0..1.0, for the jitter of retries.
pub type Chance = Arc<dyn Fn() -> f64 + Send + Sync>;

/// What the caller wants of a drain under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// No new message; finish those under way.
    Gracefully,
    /// Sessions end in the middle of what they do.
    Now,
}

/// Everything a drain needs from outside.
pub struct Outbox {
    /// The ledger.
    pub store: Store,
    /// The right to deliver from it.
    pub enlistment: Arc<Enlistment>,
    /// `[mail]`, with the password read.
    pub settings: MailSettings,
    /// Tokens and Message-IDs.
    pub signer: Signer,
    /// What is sent.
    pub scope: Scope,
    /// The keys of `[mail.dkim]`.
    pub keys: Option<Keys>,
    /// The clock.
    pub now: Now,
    /// In which times of day are told.
    pub zone: Tz,
    /// Jitter.
    pub chance: Chance,
    /// Whether to stop.
    pub stop: watch::Receiver<Stop>,
}

/// Why a drain could not be started or went on no longer.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS.
    #[error(transparent)]
    Dialer(#[from] DialerError),
    /// An issue in the ledger has no edition.
    #[error("the ledger has no edition of issue {issue}")]
    NoEdition {
        /// The issue's number in the ledger.
        issue: i64,
    },
    /// An issue was frozen to be signed with other keys.
    #[error("issue {issue} cannot be signed as it was frozen")]
    Keys {
        /// As people name it.
        issue: String,
        /// What differs.
        #[source]
        source: Mismatch,
    },
    /// The cryptography does not sign.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// An edition in the ledger cannot be read.
    #[error("the ledger fails its integrity check at {ledger}: an edition of issue {issue}")]
    Edition {
        /// Its name.
        ledger: String,
        /// Digest and number.
        issue: String,
        /// Why.
        #[source]
        source: crate::mail::EditionError,
    },
}

/// How a message leaves.
enum Way {
    Folder(PathBuf),
    Smtp(Box<Dialer>),
}

/// What all sessions with one relay share; of the first group there is one for
/// all relays of the drain.
struct Shared {
    store: Store,
    settings: Arc<MailSettings>,
    signer: Arc<Signer>,
    now: Now,
    zone: Tz,
    chance: Chance,
    feed: Arc<Feed>,
    issues: Arc<Issues>,
    /// Readers whose earlier issues are looked at in the end.
    unlucky: Arc<Mutex<HashSet<DeliveryId>>>,
    bounces: Arc<Mutex<Bounces>>,
    tally: Arc<Tally>,
    halt: Arc<Halt>,
    /// Where sessions note what is under way, if that outlives this process.
    slate: Option<Arc<Slate>>,

    way: Way,
    control: Control,
    refusals: Mutex<Refusals>,
}

/// A drain that was prepared and can be watched.
pub struct Drain {
    /// One for each relay, never none.
    relays: Vec<Arc<Shared>>,
    stop: watch::Receiver<Stop>,
}

/// Looks at a drain from outside.
#[derive(Clone)]
pub struct Monitor(Vec<Arc<Shared>>);

impl Monitor {
    /// What has happened so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.0[0].tally
    }

    /// How many messages are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0[0].feed.busy()
    }

    /// There is something new in the ledger that may go first: what was read
    /// ahead is read again.
    pub fn look_again(&self) {
        self.0[0].feed.reread();
    }

    /// The report of a drain that is ended from outside, so far.
    #[must_use]
    pub fn report(&self) -> Report {
        endings::report(&self.0)
    }

    /// What the drain waits for: relays that do not serve.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        self.0
            .iter()
            .filter_map(|relay| relay.control.waiting())
            .collect()
    }
}

impl Drain {
    /// Prepares sessions; nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the ledger cannot be read.
    pub async fn new(outbox: Outbox) -> Result<Self, OutboxError> {
        let settings = Arc::new(outbox.settings);
        let fleet = Arc::new(Fleet::new(settings.relays.iter().map(|relay| relay.weight)));
        let memories = outbox.store.relays().await?;
        let is_smtp = |relay: &RelaySettings| matches!(relay.relay, Relay::Smtp(_));
        // Writing to a folder waits for nobody: nothing is begun ahead there.
        let is_wanted = settings.relays.iter().all(is_smtp);
        let slate = outbox.store.slate(is_wanted).await?;
        let feed = Arc::new(Feed::new(
            outbox.enlistment,
            outbox.store.clone(),
            outbox.scope,
            settings.relays.iter().map(|relay| relay.connections).sum(),
            Arc::clone(&outbox.now),
        ));
        let issues = Arc::new(Issues::new(outbox.store.clone(), outbox.keys));
        let signer = Arc::new(outbox.signer);
        let (tally, halt) = (Arc::default(), Arc::default());
        let (unlucky, bounces) = (Arc::default(), Arc::default());
        let mut relays = Vec::new();
        let mut first = 0;
        for (me, relay) in settings.relays.iter().enumerate() {
            let name = relay.relay.to_string();
            let memory = memories.iter().find(|memory| memory.name == name).cloned();
            let fleet = Arc::clone(&fleet);
            let seat = Seat { fleet, me, first };
            let now = Arc::clone(&outbox.now);
            let patience = settings.relay_patience;
            let control = Control::new(relay, patience, seat, memory, Arc::clone(&now))
                .beside_others(CommonPace::of(&outbox.store, relay));
            first = control.sessions().end;
            relays.push(Arc::new(Shared {
                store: outbox.store.clone(),
                signer: Arc::clone(&signer),
                now,
                zone: outbox.zone,
                chance: Arc::clone(&outbox.chance),
                feed: Arc::clone(&feed),
                issues: Arc::clone(&issues),
                unlucky: Arc::clone(&unlucky),
                bounces: Arc::clone(&bounces),
                tally: Arc::clone(&tally),
                halt: Arc::clone(&halt),
                slate: slate.clone(),
                way: way(relay, &settings)?,
                control,
                refusals: Mutex::default(),
                settings: Arc::clone(&settings),
            }));
        }
        Ok(Self {
            relays,
            stop: outbox.stop,
        })
    }

    /// For progress.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor(self.relays.clone())
    }

    /// Delivers everything that is due, or due again, until nothing is left to
    /// do now, the relay is given up, or the caller says stop.
    ///
    /// # Errors
    /// When the ledger cannot be written or an edition cannot be read; what was
    /// under way is `inflight` then, and the next start finds out what became of it.
    pub async fn run(self) -> Result<Report, OutboxError> {
        let mut sessions = Sessions {
            drain: &self,
            tasks: JoinSet::new(),
            places: HashMap::new(),
        };
        endings::keep_quiet(&self.relays);
        for relay in &self.relays {
            for index in relay.control.sessions() {
                sessions.start(Arc::clone(relay), index);
            }
        }
        let result = sessions.finish().await;
        if *self.stop.borrow() == Stop::Now {
            return result.map(|()| endings::report(&self.relays));
        }
        if result.is_ok() {
            endings::settle(&self.relays).await?;
        }
        let mut report = endings::report(&self.relays);
        if result.is_ok() {
            endings::tell_queued(&self.relays, &mut report).await?;
            report.confirmed = self.relays[0].store.late_confirmations().await?;
            report.late = self.relays[0].store.late_accepts().await?;
            report.next_due = self.relays[0].store.next_due().await?;
        }
        result.map(|()| report)
    }
}

/// Waits until the caller says so.
async fn told(stop: &mut watch::Receiver<Stop>, what: impl Fn(Stop) -> bool) {
    if stop.wait_for(|stop| what(*stop)).await.is_err() {
        // Nobody can say anything any more.
        std::future::pending::<()>().await;
    }
}

/// Nothing under our locks panics half-way through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How messages leave through this relay.
fn way(settings: &RelaySettings, mail: &MailSettings) -> Result<Way, OutboxError> {
    Ok(match &settings.relay {
        Relay::Folder(folder) => Way::Folder(folder.clone()),
        Relay::Smtp(relay) => Way::Smtp(Box::new(Dialer::new(
            relay.clone(),
            &mail.hello_name,
            mail.timeouts,
        )?)),
    })
}

/// The running sessions of a drain.
struct Sessions<'d> {
    drain: &'d Drain,
    tasks: JoinSet<Result<(), OutboxError>>,
    places: HashMap<task::Id, (Arc<Shared>, usize)>,
}

impl Sessions<'_> {
    fn start(&mut self, relay: Arc<Shared>, index: usize) {
        let stop = self.drain.stop.clone();
        let task = self
            .tasks
            .spawn(worker::work(Arc::clone(&relay), index, stop));
        self.places.insert(task.id(), (relay, index));
    }

    /// Waits for all; the first error stops the others. Told to end at once it
    /// waits for no message, but until no session does anything more.
    async fn finish(mut self) -> Result<(), OutboxError> {
        let halt = Arc::clone(&self.drain.relays[0].halt);
        let mut stop = self.drain.stop.clone();
        let mut first_error = None;
        loop {
            let ended = tokio::select! {
                biased;
                () = told(&mut stop, |stop| stop == Stop::Now) => {
                    self.tasks.shutdown().await;
                    break;
                }
                ended = self.tasks.join_next_with_id() => ended,
            };
            let Some(ended) = ended else { break };
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((_, Err(error))) => {
                    halt.now(None);
                    first_error.get_or_insert(error);
                }
                // One message's panic costs that message and its session only.
                Err(panic) => {
                    let Some((relay, index)) = self.places.remove(&panic.id()) else {
                        continue;
                    };
                    match settle::panicked(&relay, index).await {
                        Ok(()) => self.start(relay, index),
                        Err(error) => {
                            halt.now(None);
                            first_error.get_or_insert(error);
                        }
                    }
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}
