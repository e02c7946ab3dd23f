//! Who delivers from a ledger on a server, and how well they keep up.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    commands::{
        exit::Failure,
        talk::{count, span},
        workspace,
    },
    domain::text::grouped,
    store::{SlowReceiver, Store, Worker},
};

/// All workers together.
#[derive(Serialize)]
pub(super) struct Crew {
    /// Those at work.
    workers: Vec<Worker>,
    /// For how long the longest waiting delivery has been due.
    lag_seconds: i64,
    /// Receivers that are served slowly.
    slow_receivers: Vec<SlowReceiver>,
}

/// Who delivers; `None` where the ledger is a file, from which one process does.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn of(store: &Store, now: DateTime<Utc>) -> Result<Option<Crew>, Failure> {
    if !store.is_shared() {
        return Ok(None);
    }
    let failed = workspace::store_failure;
    let next_due = store.next_due().await.map_err(failed)?;
    Ok(Some(Crew {
        workers: store.workers().await.map_err(failed)?,
        lag_seconds: next_due.map_or(0, |at| (now - at).num_seconds().max(0)),
        slow_receivers: store.slow_receivers().await.map_err(failed)?,
    }))
}

impl Crew {
    /// A line for each, in the columns of `status`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for worker in &self.workers {
            let _ = writeln!(text, "worker     {}", told(worker));
        }
        if self.lag_seconds >= 60 {
            let lag = span(TimeDelta::seconds(self.lag_seconds));
            let _ = writeln!(text, "lag        something has been due for {lag}");
        }
        for slow in &self.slow_receivers {
            let _ = writeln!(
                text,
                "slow       {}: a message in {}.{} s; put off {} (`{}`)",
                slow.domain,
                slow.step_ms / 1000,
                slow.step_ms % 1000 / 100,
                grouped(slow.refusals),
                slow.reply
            );
        }
        text
    }
}

/// `7 at one (pid 4711) for 5 minutes: 1,234 sent, 246 a minute, 12 in hand`
fn told(worker: &Worker) -> String {
    let age = i64::try_from(worker.seconds).unwrap_or(i64::MAX);
    let mut text = format!(
        "{} at {} (pid {}) for {}: {} sent, {} a minute, {} in hand",
        worker.epoch,
        worker.host,
        worker.pid,
        match age {
            0..60 => count(worker.seconds, "second"),
            _ => span(TimeDelta::try_seconds(age).unwrap_or(TimeDelta::MAX)),
        },
        grouped(worker.sent),
        grouped(worker.sent * 60 / worker.seconds.max(60)),
        grouped(worker.in_hand),
    );
    if let Some(relay) = &worker.relay {
        let _ = write!(text, ", through {relay}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crew_is_told_worker_by_worker_with_what_keeps_it_back() {
        let crew = Crew {
            workers: vec![Worker {
                epoch: 7,
                host: "one".to_owned(),
                pid: 4711,
                relay: Some("smtp.example.org:587".to_owned()),
                seconds: 300,
                lease_seconds: 60,
                sent: 1_234,
                in_hand: 12,
            }],
            lag_seconds: 200,
            slow_receivers: vec![SlowReceiver {
                domain: "example.net".to_owned(),
                refusals: 37,
                step_ms: 4_500,
                reply: "421 4.7.0 slow down".to_owned(),
            }],
        };
        assert_eq!(
            crew.text(),
            "worker     7 at one (pid 4711) for 5 minutes: 1,234 sent, 246 a minute, 12 in hand, \
             through smtp.example.org:587\n\
             lag        something has been due for 3 minutes\n\
             slow       example.net: a message in 4.5 s; put off 37 (`421 4.7.0 slow down`)\n"
        );
    }
}
