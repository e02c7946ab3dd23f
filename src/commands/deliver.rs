//! What `run` and `send` share once an issue is frozen: the right to send, and
//! the drain with its progress and its stop signals.

use std::{sync::Arc, time::Duration};

use indicatif::ProgressBar;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::{
    Context, ending,
    exit::{Exit, Failure},
    freezing, notices,
    talk::count,
    turn,
    watch::Watch,
    workspace,
};
use crate::{
    config::{Config, settings::MailSettings},
    domain::text::grouped,
    links::Signer,
    outbox::{
        Chance, Drain, Ending, Monitor, Now, Outbox, OutboxError, Report, Stop, Waiting, Why,
    },
    store::{LockError, RunLock, Scope, Store},
};

/// The right to send, or the end of the command.
pub enum Turn {
    /// Ours.
    Taken(RunLock),
    /// Another run is at work.
    Busy(Exit),
}

/// Takes the run lock, waiting up to `wait` for another run.
///
/// # Errors
/// When the lock file cannot be used.
pub async fn take_turn(
    context: &Context,
    config: &Config,
    wait: Option<Duration>,
) -> Result<Turn, Failure> {
    let deadline = tokio::time::Instant::now() + wait.unwrap_or_default();
    loop {
        match RunLock::acquire(&config.store.path, context.clock.machine_time()) {
            Ok(lock) => return Ok(Turn::Taken(lock)),
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

/// What is delivered once issues are frozen.
#[derive(Clone, Copy)]
pub struct Delivering<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The ledger.
    pub store: &'a Store,
    /// The run's number.
    pub number: i64,
    /// What is delivered.
    pub scope: Scope,
    /// How long a stopped run waits for the messages under way.
    pub grace: Duration,
}

/// Delivers what is due in the order of all commands that send, and says how it
/// went. `told` hears of the drain before anything that may fail after it.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn all(
    context: &Context,
    delivering: &Delivering<'_>,
    lock: &mut RunLock,
    told: impl FnOnce(&Report),
) -> Result<Exit, Failure> {
    let Delivering { config, store, .. } = *delivering;
    let mut exit = expire(context, store).await?;
    // A template of theirs must not keep the issues back.
    if let Err(failure) = notices::press(context, config, store).await {
        if failure.is_unwritten() {
            return Err(failure);
        }
        context.talk.must_say(&failure);
        exit = exit.worse(failure.exit);
    }
    exit = exit.worse(turn::set_out(context, store, delivering.number).await?);
    let report = drain(context, delivering, lock).await?;
    told(&report);
    exit = exit.worse(ending::conclude(context, config, &report));
    let now = context.clock.now();
    let finished = store.finish_issues(now).await;
    finished.map_err(workspace::store_failure)?;
    let tidied = store.tidy_notices(now).await;
    tidied.map_err(workspace::store_failure)?;
    Ok(exit.worse(ending::uncertain_held(context, store).await?))
}

/// Ends what ran out of time, and says so.
///
/// # Errors
/// When the ledger cannot be written.
async fn expire(context: &Context, store: &Store) -> Result<Exit, Failure> {
    let expired = store
        .expire(context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    if expired.deliveries > 0 {
        context.talk.must_say(format!(
            "{} expired: `mail.expire_after` has passed",
            count(expired.deliveries, "delivery")
        ));
    }
    if expired.paused.is_empty() {
        return Ok(Exit::Done);
    }
    context.talk.must_say(format!(
        "{} paused: most of it would have expired without one attempt\n\
         hint: look at the clock, then `letterpress issues list` and `issues resume`",
        count(expired.paused.len(), "issue")
    ));
    Ok(Exit::Paused)
}

/// Delivers what is due, with progress, until it is done or told to stop.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn drain(
    context: &Context,
    delivering: &Delivering<'_>,
    lock: &mut RunLock,
) -> Result<Report, Failure> {
    let Delivering {
        config,
        store,
        scope,
        grace,
        ..
    } = *delivering;
    let (say_stop, stop) = watch::channel(Stop::No);
    let clock = context.clock;
    let now: Now = Arc::new(move || clock.now());
    let chance: Chance = Arc::new(random_fraction);
    let drain = Drain::new(Outbox {
        store: store.clone(),
        settings: settings(config, scope)?,
        scope,
        signer: Signer::new(store.install_key()),
        keys: freezing::signing_keys(config)?,
        now,
        zone: config.publication.timezone,
        chance,
        stop,
    })
    .await
    .map_err(outbox_failure)?;
    let monitor = drain.monitor();
    let total = store
        .count_due(scope, context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    let mut running = Box::pin(drain.run());
    let mut watching = std::pin::pin!(watch_progress(context, store, &monitor, lock, total));
    let mut pressing = std::pin::pin!(notices::keep_pressing(context, config, store, &monitor));
    let mut signals = Signals::listen();
    let finished = tokio::select! {
        report = &mut running => report,
        () = &mut watching => unreachable!("progress is watched until the drain ends"),
        () = &mut pressing => unreachable!("mails are made until the drain ends"),
        () = signals.next() => {
            say_stop.send_replace(Stop::Gracefully);
            let tally = monitor.tally();
            context.talk.must_say(format!(
                "stopping: {} in flight, waiting up to {} s … {} sent, {} left",
                monitor.in_flight(),
                grace.as_secs(),
                grouped(tally.sent()),
                grouped(total.saturating_sub(tally.settled()))
            ));
            let patience = async {
                tokio::select! {
                    () = signals.next() => {}
                    () = tokio::time::sleep(grace) => {}
                }
            };
            tokio::select! {
                report = &mut running => report,
                () = patience => {
                    // The sessions end here, in the middle of what they do.
                    drop(running);
                    return stopped_at_once(context, store, &monitor).await;
                }
            }
        }
    };
    finished.map_err(outbox_failure)
}

/// Who only sends single mails keeps the turn from issues while a relay is
/// away: not for long.
fn settings(config: &Config, scope: Scope) -> Result<MailSettings, Failure> {
    let mut settings = freezing::mail_settings(config)?;
    if scope == Scope::Notices {
        settings.relay_patience = settings.relay_patience.min(LITTLE_PATIENCE);
    }
    Ok(settings)
}

const LITTLE_PATIENCE: Duration = Duration::from_secs(20);

/// A second signal, or the end of our patience: what is under way is uncertain.
async fn stopped_at_once(
    context: &Context,
    store: &Store,
    monitor: &Monitor,
) -> Result<Report, Failure> {
    let recovered = store
        .recover(context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    context.talk.must_say(format!(
        "stopped at once: {} uncertain",
        recovered.uncertain
    ));
    let mut report = monitor.report();
    report.uncertain += recovered.uncertain;
    report.late = store
        .late_accepts()
        .await
        .map_err(workspace::store_failure)?;
    report.ending.get_or_insert(Ending {
        why: Why::Stopped,
        text: "stopped on request".to_owned(),
    });
    Ok(report)
}

/// SIGTERM and SIGINT, heard from the moment this is made: none of two is lost.
pub(super) struct Signals([Option<Signal>; 2]);

impl Signals {
    pub(super) fn listen() -> Self {
        // Where they cannot be heard they end the process, as usual.
        Self([SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).ok()))
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            () = heard(terminate) => {}
            () = heard(interrupt) => {}
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// A bar on a terminal, a line now and then elsewhere, and the lock's note.
async fn watch_progress(
    context: &Context,
    store: &Store,
    monitor: &Monitor,
    lock: &mut RunLock,
    total: u64,
) {
    let mut watch = Watch::default();
    let bar = if total > 0 {
        context.talk.bar("sending", total)
    } else {
        ProgressBar::hidden()
    };
    let plain = context.talk.plain_interval();
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut last_line = tokio::time::Instant::now();
    let mut told: Vec<Waiting> = Vec::new();
    loop {
        ticks.tick().await;
        let tally = monitor.tally();
        let settled = tally.settled();
        bar.set_position(settled);
        bar.set_message(format!(
            "{} deferred, {} uncertain",
            tally.deferred(),
            tally.uncertain()
        ));
        lock.progress(settled, total, context.clock.machine_time());
        if let Some(warning) = watch.look(context, store) {
            bar.suspend(|| context.talk.must_say(warning));
        }
        let waiting = monitor.waiting();
        for away in &waiting {
            let is_news = |old: &Waiting| old.relay != away.relay || old.reason != away.reason;
            if told.iter().all(is_news) {
                bar.suspend(|| {
                    context.talk.say(format!(
                        "relay {} does not serve ({}); next try in {} s",
                        away.relay,
                        away.reason,
                        away.next_try_in.as_secs()
                    ));
                });
            }
        }
        told = waiting;
        if plain.is_some_and(|every| last_line.elapsed() >= every) {
            last_line = tokio::time::Instant::now();
            context.talk.say(format!(
                "sending: {settled} of {total}, {} deferred, {} uncertain",
                tally.deferred(),
                tally.uncertain()
            ));
        }
    }
}

fn outbox_failure(error: OutboxError) -> Failure {
    match error {
        OutboxError::Store(error) => workspace::store_failure(error),
        OutboxError::Dialer(error) => Failure::of(Exit::Config, &error),
        OutboxError::Keys { .. } => Failure::of(Exit::Config, &error).hint(
            "what was sent of the issue has the old signature, and every attempt must be the same: \
             put that key back until the issue is done, or `letterpress issues cancel` it; \
             docs/dkim.md tells how to change keys",
        ),
        OutboxError::Crypto(error) => Failure::of(Exit::Internal, &error),
        OutboxError::NoEdition { .. } | OutboxError::Edition { .. } => {
            Failure::of(Exit::Internal, &error)
        }
    }
}

/// For the jitter of retries: eight random bytes as a fraction.
fn random_fraction() -> f64 {
    let number = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(number) / f64::from(u32::MAX)
}
