//! What a drain did, while it runs and when it has ended.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{locked, sender::Fault};
use crate::{
    domain::delivery::{Outcome, Reply},
    store::LateAccept,
};

/// Counts of a drain under way.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    deferred: AtomicU64,
    rejected: AtomicU64,
    suppressed: AtomicU64,
    failed: AtomicU64,
    uncertain: AtomicU64,
    withdrawn: AtomicU64,
    /// Why messages could not be built, and how many.
    failures: Mutex<BTreeMap<String, u64>>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident, $add:ident;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.$name.load(Ordering::Relaxed)
            }

            pub(super) fn $add(&self, count: u64) {
                self.$name.fetch_add(count, Ordering::Relaxed);
            }
        )*
    };
}

impl Tally {
    counters! {
        /// Accepted by the relay.
        sent, add_sent;
        /// Temporarily refused; due again later.
        deferred, add_deferred;
        /// Refused for good.
        rejected, add_rejected;
        /// Of the refused: address does not take mail, so never written to again.
        suppressed, add_suppressed;
        /// Could not be built.
        failed, add_failed;
        /// Nobody knows.
        uncertain, add_uncertain;
        /// Left, or the issue was paused, between queue and intent.
        withdrawn, add_withdrawn;
    }

    /// One delivery came to this end.
    pub(super) fn add(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Sent(_) => self.add_sent(1),
            Outcome::Deferred { .. } => self.add_deferred(1),
            Outcome::Rejected { is_hard, .. } => {
                self.add_rejected(1);
                self.add_suppressed(u64::from(*is_hard));
            }
            Outcome::Failed { reason } => {
                self.add_failed(1);
                *locked(&self.failures).entry(reason.clone()).or_default() += 1;
            }
            Outcome::Uncertain { .. } => self.add_uncertain(1),
            Outcome::Requeued { .. } => {}
        }
    }

    pub(super) fn take_back_rejected(&self, count: u64) {
        self.rejected.fetch_sub(count, Ordering::Relaxed);
    }

    /// Deliveries that are settled for this run.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.sent()
            + self.deferred()
            + self.rejected()
            + self.failed()
            + self.uncertain()
            + self.withdrawn()
    }
}

/// Why a run ended with work left, or an issue was paused: decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The relay did not serve for longer than we wait.
    RelayAway,
    /// The relay takes no more today.
    Quota,
    /// The caller said stop.
    Stopped,
    /// The relay keeps breaking the protocol.
    Protocol,
    /// Login, TLS identity, or the relay refuses to relay for us.
    Refused,
    /// The sender is refused.
    Sender,
    /// The message is too big or its content is refused.
    Content,
    /// One of several relays did not serve; the others did its share.
    OthersServe,
    /// The folder relay cannot write.
    Folder,
}

/// A drain that ended before its work was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// For the exit code.
    pub why: Why,
    /// For people.
    pub text: String,
}

/// An issue that was paused by what the relay said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedIssue {
    /// Which: digest and number.
    pub issue: String,
    /// For the exit code.
    pub why: Why,
    /// For people.
    pub text: String,
}

/// What a drain did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Accepted.
    pub sent: u64,
    /// Temporarily refused.
    pub deferred: u64,
    /// Refused for good.
    pub rejected: u64,
    /// Of those, never written to again.
    pub suppressed: u64,
    /// Could not be built.
    pub failed: u64,
    /// Why, and how many each.
    pub failures: Vec<(String, u64)>,
    /// What receivers hold against the sender, for people.
    pub complaints: Vec<String>,
    /// Became uncertain in this drain.
    pub uncertain: u64,
    /// Issues that were paused.
    pub paused: Vec<PausedIssue>,
    /// Why it ended early, if it did.
    pub ending: Option<Ending>,
    /// Relays that dropped out while others went on.
    pub dropped: Vec<Ending>,
    /// What each of several relays took.
    pub relays: Vec<(String, u64)>,
    /// What the relay took after all, when it had become uncertain.
    pub confirmed: Vec<LateAccept>,
    /// Readers who may have a message twice: an answer came when the message
    /// had been sent again.
    pub late: Vec<LateAccept>,
    /// When the next of those who still wait is due.
    pub next_due: Option<DateTime<Utc>>,
}

/// The common end of all sessions.
pub(super) struct Halt {
    over: watch::Sender<bool>,
    ending: Mutex<Option<Ending>>,
    paused: Mutex<Vec<PausedIssue>>,
    dropped: Mutex<Vec<Ending>>,
    blames: Mutex<Vec<Blame>>,
}

/// One kind of answer that blames the sender, in its first words.
struct Blame {
    fault: Fault,
    reply: Reply,
    remedy: String,
    count: u64,
}

impl Default for Halt {
    fn default() -> Self {
        Self {
            over: watch::Sender::new(false),
            ending: Mutex::default(),
            paused: Mutex::default(),
            dropped: Mutex::default(),
            blames: Mutex::default(),
        }
    }
}

impl Halt {
    /// Ends the drain; the first reason given is the one reported.
    pub(super) fn now(&self, ending: Option<Ending>) {
        if let Some(ending) = ending {
            let mut first = locked(&self.ending);
            first.get_or_insert(ending);
        }
        self.over.send_replace(true);
    }

    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    pub(super) fn over(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }

    /// One of several relays takes no further part.
    pub(super) fn dropped(&self, ending: Ending) {
        let mut dropped = locked(&self.dropped);
        if !dropped.contains(&ending) {
            dropped.push(ending);
        }
    }

    pub(super) fn paused(&self, issue: PausedIssue) {
        let mut paused = locked(&self.paused);
        if !paused.iter().any(|known| known.issue == issue.issue) {
            paused.push(issue);
        }
    }

    /// An answer blamed the sender.
    pub(super) fn blamed(&self, fault: Fault, reply: &Reply, remedy: impl FnOnce() -> String) {
        let mut blames = locked(&self.blames);
        if let Some(known) = blames.iter_mut().find(|known| known.fault == fault) {
            known.count += 1;
            return;
        }
        blames.push(Blame {
            fault,
            reply: reply.clone(),
            remedy: remedy(),
            count: 1,
        });
    }

    fn complaints(&self) -> Vec<String> {
        let told = |blame: &Blame| {
            let answers = match blame.count {
                1 => "1 answer blames".to_owned(),
                count => format!("{count} answers blame"),
            };
            format!(
                "{answers} the sender, not the reader: `{}`; {}",
                blame.reply, blame.remedy
            )
        };
        locked(&self.blames).iter().map(told).collect()
    }

    pub(super) fn report(&self, tally: &Tally) -> Report {
        Report {
            failures: locked(&tally.failures).clone().into_iter().collect(),
            complaints: self.complaints(),
            sent: tally.sent(),
            deferred: tally.deferred(),
            rejected: tally.rejected(),
            suppressed: tally.suppressed(),
            failed: tally.failed(),
            uncertain: tally.uncertain(),
            paused: locked(&self.paused).clone(),
            ending: locked(&self.ending).clone(),
            dropped: locked(&self.dropped).clone(),
            relays: Vec::new(),
            confirmed: Vec::new(),
            late: Vec::new(),
            next_due: None,
        }
    }
}
