//! The right to send. A ledger in a file is for one sender at a time; on a server
//! everybody may send what they have claimed.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{Config, settings::Engine},
    store::{LockError, NewWorker, RunLock},
};

/// The right to send.
pub enum Right {
    /// Ours alone.
    Alone(RunLock),
    /// That of every worker.
    Shared,
}

/// The right to send, or the end of the command.
pub enum Turn {
    /// Ours.
    Taken(Right),
    /// Another run is at work.
    Busy(Exit),
}

impl Right {
    /// Takes it if it can be had now.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it.
    pub fn now(context: &Context, config: &Config) -> Result<Self, LockError> {
        if matches!(config.store.engine, Engine::Postgres(_)) {
            return Ok(Self::Shared);
        }
        RunLock::acquire(&config.store.path, context.clock.machine_time()).map(Self::Alone)
    }

    /// Notes for others how far the work is.
    pub fn progress(&mut self, done: u64, total: u64, now: DateTime<Utc>) {
        if let Self::Alone(lock) = self {
            lock.progress(done, total, now);
        }
    }
}

/// Takes the right to send, waiting up to `wait` for another run.
///
/// # Errors
/// When the lock file cannot be used.
pub async fn take(
    context: &Context,
    config: &Config,
    wait: Option<Duration>,
) -> Result<Turn, Failure> {
    let deadline = tokio::time::Instant::now() + wait.unwrap_or_default();
    loop {
        match Right::now(context, config) {
            Ok(right) => return Ok(Turn::Taken(right)),
            Err(LockError::Store(error)) => return Err(workspace::store_failure(error)),
            Err(LockError::Held(_)) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(LockError::Held(held)) => {
                context.talk.must_say(&held);
                let exit = if held.is_stale() {
                    Exit::Temporary
                } else {
                    Exit::Done
                };
                return Ok(Turn::Busy(exit));
            }
        }
    }
}

/// This process, as others are told of it, in run `run`; bound to `relay`, if it
/// is.
#[must_use]
pub fn this_worker(run: i64, relay: Option<String>) -> NewWorker {
    NewWorker {
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        pid: std::process::id(),
        relay,
        run,
    }
}
