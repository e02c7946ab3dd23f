//! One file per subcommand: its flags, its help with examples, its numbered
//! steps. What several share is here.

pub mod add;
pub mod build;
pub mod check;
pub mod deliver;
pub mod exit;
pub mod init;
pub mod issues;
pub mod plan;
pub mod render;
pub mod run;
pub mod send;
pub mod shell;
pub mod status;
pub mod subscribers;
pub mod talk;
pub mod uncertain;
pub mod why;
pub mod workspace;

use std::{path::PathBuf, time::Instant};

use chrono::{DateTime, Utc};

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
    since: Instant,
}

impl Clock {
    /// A clock that shows `start` and goes on from there.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self {
            start,
            since: Instant::now(),
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
        chrono::Duration::from_std(self.since.elapsed())
            .map_or(self.start, |elapsed| self.start + elapsed)
    }
}
