//! What `run` and `send` share once an issue is frozen: the right to send, and
//! the drain with its progress and its stop signals.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    Context, doubt, ending,
    exit::{Exit, Failure},
    freezing, notices, progress,
    right::{self, Right},
    signals::Signals,
    talk::count,
    turn, workspace,
};
use crate::{
    config::{Config, settings::MailSettings},
    domain::text::grouped,
    links::Signer,
    outbox::{
        Chance, Drain, Ending, Enlistment, Monitor, Now, Outbox, OutboxError, Report, Stop, Why,
    },
    store::{Health, Scope, Store},
};

/// How often lost workers are looked for while others deliver, too.
const REAPING: Duration = Duration::from_secs(5);

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
    /// Through this relay only.
    pub relay: Option<&'a str>,
    /// How long a stopped run waits for the messages under way.
    pub grace: Duration,
}

/// What a drain is done with.
pub(super) struct Hands<'a> {
    pub(super) right: &'a mut Right,
    pub(super) enlistment: &'a Arc<Enlistment>,
    pub(super) signals: &'a mut Signals,
    /// Whether single mails that are asked for meanwhile are made, too.
    pub(super) is_pressing: bool,
}

/// Enlists this process where others may deliver, too.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn enlist(delivering: &Delivering<'_>) -> Result<Arc<Enlistment>, Failure> {
    let worker = right::this_worker(delivering.number, delivering.relay.map(str::to_owned));
    let enlisted = Enlistment::new(delivering.store.clone(), worker).await;
    enlisted.map(Arc::new).map_err(workspace::store_failure)
}

/// Delivers in one drain as a worker of its own; what was paused before is in the
/// exit code. A run that is a worker is known to be alive by those that set out
/// after it. Signals are heard until what is returned is dropped.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn enlisted(
    context: &Context,
    delivering: &Delivering<'_>,
    right: &mut Right,
) -> Result<(Exit, Report, Signals), Failure> {
    let enlistment = enlist(delivering).await?;
    let exit = turn::set_out(context, delivering.store, delivering.number).await?;
    let mut signals = Signals::listen();
    let mut hands = Hands {
        right,
        enlistment: &enlistment,
        signals: &mut signals,
        is_pressing: true,
    };
    let work = async {
        let report = drain(context, delivering, &mut hands).await?;
        let dismissed = dismiss(context, delivering, &enlistment);
        hands.signals.heeded(delivering.store, dismissed).await?;
        Ok::<_, Failure>(report)
    };
    let report = vigilantly(context, delivering, &enlistment, work).await?;
    Ok((exit, report, signals))
}

/// Ends the lease of this process, and takes up at once what it may have left
/// under way.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn dismiss(
    context: &Context,
    delivering: &Delivering<'_>,
    enlistment: &Enlistment,
) -> Result<(), Failure> {
    enlistment.end().await.map_err(workspace::store_failure)?;
    let reaped = delivering.store.reap(context.clock.now()).await;
    let reaped = reaped.map_err(workspace::store_failure)?;
    doubt::tell(context, delivering.config, &reaped);
    Ok(())
}

/// Delivers what is due in the order of all commands that send, and says how it
/// went. `told` hears of the drain before anything that may fail after it.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn all(
    context: &Context,
    delivering: &Delivering<'_>,
    right: &mut Right,
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
    let (paused, report, mut signals) = enlisted(context, delivering, right).await?;
    exit = exit.worse(paused);
    told(&report);
    exit = exit.worse(ending::conclude(context, config, &report));
    let held = async {
        finish(context, store).await?;
        ending::uncertain_held(context, store).await
    };
    Ok(exit.worse(signals.heeded(store, held).await?))
}

/// Marks what is done with after a drain.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn finish(context: &Context, store: &Store) -> Result<(), Failure> {
    let now = context.clock.now();
    let finished = store.finish_issues(now).await;
    finished.map_err(workspace::store_failure)?;
    let tidied = store.tidy_notices(now).await;
    tidied.map_err(workspace::store_failure)
}

/// Ends what ran out of time, and says so.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn expire(context: &Context, store: &Store) -> Result<Exit, Failure> {
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
    hands: &mut Hands<'_>,
) -> Result<Report, Failure> {
    let Delivering {
        config,
        store,
        scope,
        relay,
        grace,
        ..
    } = *delivering;
    let Hands {
        right,
        enlistment,
        signals,
        is_pressing,
    } = hands;
    let (say_stop, stop) = watch::channel(Stop::No);
    let clock = context.clock;
    let now: Now = Arc::new(move || clock.now());
    let chance: Chance = Arc::new(random_fraction);
    let drain = Drain::new(Outbox {
        store: store.clone(),
        enlistment: Arc::clone(enlistment),
        settings: settings(config, scope, relay)?,
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
    let watching = progress::watch(context, store, &monitor, right, total);
    let mut watching = std::pin::pin!(watching);
    let mut pressing = std::pin::pin!(async {
        if *is_pressing {
            notices::keep_pressing(context, config, store, &monitor).await;
        }
        std::future::pending().await
    });
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
                () = hurried(store) => unreachable!("that has no end"),
                () = patience => {
                    if matches!(*store.health().borrow(), Health::Away(_)) {
                        // What relays said is written down beside the ledger instead.
                        store.hurry();
                    }
                    say_stop.send_replace(Stop::Now);
                    // Whatever was asked of the ledger has been asked by then.
                    drop(running.await);
                    return stopped_at_once(context, store, enlistment, &monitor).await;
                }
            }
        }
    };
    finished.map_err(outbox_failure)
}

/// Who is to stop does not wait for a server that is away: what relays still say
/// is written down beside the ledger.
async fn hurried(store: &Store) {
    let mut health = store.health();
    let away = health.wait_for(|health| matches!(health, Health::Away(_)));
    if away.await.is_ok() {
        store.hurry();
    }
    std::future::pending().await
}

/// Who only sends single mails keeps the turn from issues while a relay is
/// away: not for long.
fn settings(config: &Config, scope: Scope, relay: Option<&str>) -> Result<MailSettings, Failure> {
    let mut settings = freezing::mail_settings(config)?;
    if let Some(name) = relay {
        settings.relays.retain(|one| one.relay.to_string() == name);
    }
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
    enlistment: &Enlistment,
    monitor: &Monitor,
) -> Result<Report, Failure> {
    enlistment.end().await.map_err(workspace::store_failure)?;
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
    report.confirmed = store
        .late_confirmations()
        .await
        .map_err(workspace::store_failure)?;
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

/// Does `work`, and meanwhile tells what a person must know of the database and of
/// leases, and takes up what lost workers left.
pub(super) async fn vigilantly<T>(
    context: &Context,
    delivering: &Delivering<'_>,
    enlistment: &Enlistment,
    work: impl Future<Output = T>,
) -> T {
    let Delivering { config, store, .. } = *delivering;
    let work = async {
        tokio::select! {
            done = work => done,
            () = keep_reaping(context, config, store) => unreachable!("that has no end"),
        }
    };
    progress::vigilantly(context, store, enlistment, work).await
}

/// Takes up what lost workers left, for as long as it is polled.
async fn keep_reaping(context: &Context, config: &Config, store: &Store) {
    if !store.is_shared() {
        std::future::pending::<()>().await;
    }
    loop {
        tokio::time::sleep(REAPING).await;
        // A server that is away is told of by those who deliver.
        if let Ok(reaped) = store.reap(context.clock.now()).await {
            doubt::tell(context, config, &reaped);
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
        OutboxError::NoEdition { .. } => Failure::of(Exit::Internal, &error),
        OutboxError::Edition { .. } => Failure::of(Exit::Io, &error).hint(workspace::RESTORE),
    }
}

/// For the jitter of retries: eight random bytes as a fraction.
fn random_fraction() -> f64 {
    let number = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(number) / f64::from(u32::MAX)
}
