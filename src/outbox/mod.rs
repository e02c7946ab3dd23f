//! Turns queued deliveries into sent mail: claims what is due, makes an intent
//! durable before each terminating dot, and records what the relay said.
//!
//! Sessions run side by side, each with at most one undecided message; so a
//! crash leaves at most as many uncertain deliveries as there are sessions.

mod compose;
mod control;
mod feed;
mod folder;
mod issues;
mod refusals;
mod report;
mod settle;
#[cfg(test)]
mod tests;
mod verdict;
mod worker;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::{
    sync::watch,
    task::{self, JoinSet},
};

use self::{
    compose::Compose, control::Control, feed::Feed, issues::Issues, refusals::Refusals,
    report::Halt,
};
pub use self::{
    control::Waiting,
    report::{Ending, PausedIssue, Report, Tally, Why},
};
use crate::{
    config::settings::{MailSettings, Relay},
    links::Signer,
    mail::{
        dkim::{CryptoError, Keys, Mismatch},
        smtp::{Dialer, DialerError, Trouble},
    },
    store::{Store, StoreError},
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
}

/// Everything a drain needs from outside.
pub struct Outbox {
    /// The ledger.
    pub store: Store,
    /// `[mail]`, with the password read.
    pub settings: MailSettings,
    /// Tokens and Message-IDs.
    pub signer: Signer,
    /// The keys of `[mail.dkim]`.
    pub keys: Option<Keys>,
    /// The clock.
    pub now: Now,
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
    #[error("the stored edition of issue {issue} is damaged")]
    Edition {
        /// The issue's number in the ledger.
        issue: i64,
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

/// What all sessions of one drain share.
struct Shared {
    store: Store,
    settings: MailSettings,
    compose: Compose,
    now: Now,
    chance: Chance,
    way: Way,
    feed: Feed,
    issues: Issues,
    control: Control,
    refusals: std::sync::Mutex<Refusals>,
    tally: Arc<Tally>,
    halt: Halt,
}

/// A drain that was prepared and can be watched.
pub struct Drain {
    shared: Arc<Shared>,
    stop: watch::Receiver<Stop>,
}

/// Looks at a drain from outside.
#[derive(Clone)]
pub struct Monitor(Arc<Shared>);

impl Monitor {
    /// What has happened so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// The report of a drain that is ended from outside, so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.0.halt.report(&self.0.tally)
    }

    /// What the drain waits for, if the relay does not serve.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        self.0.control.waiting()
    }
}

impl Drain {
    /// Prepares sessions; nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(outbox: Outbox) -> Result<Self, OutboxError> {
        let settings = outbox.settings;
        let way = match &settings.relay {
            Relay::Folder(folder) => Way::Folder(folder.clone()),
            Relay::Smtp(relay) => Way::Smtp(Box::new(Dialer::new(
                relay.clone(),
                &settings.hello_name,
                settings.timeouts,
            )?)),
        };
        let shared = Shared {
            feed: Feed::new(outbox.store.clone(), Arc::clone(&outbox.now)),
            issues: Issues::new(outbox.store.clone(), outbox.keys),
            control: Control::new(settings.connections, settings.relay_patience, settings.rate),
            refusals: std::sync::Mutex::default(),
            tally: Arc::default(),
            halt: Halt::default(),
            store: outbox.store,
            compose: Compose::new(outbox.signer),
            now: outbox.now,
            chance: outbox.chance,
            settings,
            way,
        };
        Ok(Self {
            shared: Arc::new(shared),
            stop: outbox.stop,
        })
    }

    /// For progress.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.shared))
    }

    /// Delivers everything that is due, or due again, until nothing is left to
    /// do now, the relay is given up, or the caller says stop.
    ///
    /// # Errors
    /// When the ledger cannot be written or an edition cannot be read; what was
    /// under way is `inflight` then, and uncertain at the next start.
    pub async fn run(self) -> Result<Report, OutboxError> {
        let mut sessions = Sessions {
            drain: &self,
            tasks: JoinSet::new(),
            indexes: HashMap::new(),
        };
        for index in 0..self.shared.settings.connections {
            sessions.start(index);
        }
        let result = sessions.finish().await;
        if result.is_ok() {
            // Every session has ended: what is still inflight has no owner.
            let recovered = self.shared.store.recover((self.shared.now)()).await?;
            self.shared.tally.add_uncertain(recovered.uncertain);
        }
        result.map(|()| self.shared.halt.report(&self.shared.tally))
    }
}

/// The running sessions of a drain.
struct Sessions<'d> {
    drain: &'d Drain,
    tasks: JoinSet<Result<(), OutboxError>>,
    indexes: HashMap<task::Id, usize>,
}

impl Sessions<'_> {
    fn start(&mut self, index: usize) {
        let shared = Arc::clone(&self.drain.shared);
        let stop = self.drain.stop.clone();
        let task = self.tasks.spawn(worker::work(shared, index, stop));
        self.indexes.insert(task.id(), index);
    }

    /// Waits for all; the first error stops the others.
    async fn finish(mut self) -> Result<(), OutboxError> {
        let shared = Arc::clone(&self.drain.shared);
        let mut first_error = None;
        while let Some(ended) = self.tasks.join_next_with_id().await {
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((_, Err(error))) => {
                    shared.halt.now(None);
                    first_error.get_or_insert(error);
                }
                // One message's panic costs that message and its session only.
                Err(panic) => {
                    let index = self.indexes.get(&panic.id()).copied().unwrap_or_default();
                    match settle::panicked(&shared, index).await {
                        Ok(()) => self.start(index),
                        Err(error) => {
                            shared.halt.now(None);
                            first_error.get_or_insert(error);
                        }
                    }
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}
