//! One file per subcommand: its flags, its help with examples, its numbered
//! steps. What several share is here.

pub mod add;
pub mod ahead;
pub mod bounces;
pub mod build;
pub mod check;
pub mod check_log;
pub mod deliver;
pub mod dkim;
pub mod doctor;
mod doors;
pub mod doubt;
pub mod editions;
pub mod ending;
pub mod exit;
pub mod feeds;
pub mod flood;
pub mod freezing;
pub mod illustrations;
pub mod init;
pub mod issues;
pub mod linting;
pub mod notices;
pub mod pings;
pub mod plan;
pub mod preview;
pub mod progress;
pub mod publisher;
pub mod render;
pub mod retouch;
pub mod right;
pub mod run;
pub mod send;
pub mod serve;
pub mod shell;
pub mod signals;
pub mod status;
pub mod store;
pub mod subscribers;
pub mod talk;
pub mod turn;
pub mod uncertain;
pub mod watch;
pub mod website;
pub mod why;
pub mod work;
pub mod workspace;

use std::{path::PathBuf, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};

use self::talk::Talk;

/// What every command gets: where, when, and how to speak.
#[derive(Debug, Clone)]
pub struct Context {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The clock.
    pub clock: Clock,
    /// The voice.
    pub talk: Talk,
}

/// The moment everything is judged by: now, or what `--at` says instead.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: DateTime<Utc>,
    machine: fn() -> DateTime<Utc>,
    machine_start: DateTime<Utc>,
    since: Instant,
    is_given: bool,
}

impl Clock {
    /// A clock that shows `at`, or else what the machine's clock shows, and
    /// goes on from there, whatever becomes of the machine's.
    #[must_use]
    pub fn new(machine: fn() -> DateTime<Utc>, at: Option<DateTime<Utc>>) -> Self {
        let machine_start = machine();
        Self {
            start: at.unwrap_or(machine_start),
            machine,
            machine_start,
            since: Instant::now(),
            is_given: at.is_some(),
        }
    }

    /// When the command began: what is planned and frozen bears this moment.
    #[must_use]
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// The moment now: the start and the time that has passed.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.start + self.elapsed()
    }

    /// The same clock by that of the ledger's server, which is ahead by `ahead`:
    /// workers on several machines have one time. `--at` stands.
    #[must_use]
    pub fn by_server(self, ahead: TimeDelta) -> Self {
        match self.is_given {
            true => self,
            false => Self {
                start: self.start + ahead,
                ..self
            },
        }
    }

    /// The machine's own time, whatever `--at` says: for what other processes
    /// of this machine compare.
    #[must_use]
    pub fn machine_time(&self) -> DateTime<Utc> {
        self.machine_start + self.elapsed()
    }

    /// How far the machine's clock has moved more than time has passed: it was
    /// set, or the machine slept.
    #[must_use]
    pub fn drift(&self) -> TimeDelta {
        (self.machine)() - self.machine_time()
    }

    fn elapsed(&self) -> TimeDelta {
        TimeDelta::from_std(self.since.elapsed()).unwrap_or_default()
    }
}
