//! `run`: the cron verb. Read what came back, build, freeze what is due, deliver
//! what is queued or due again. Safe to overlap, silent when all is well.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{
    Context, bounces,
    build::{self, Checked},
    deliver::{self, Delivering},
    doubt,
    exit::{Exit, Failure},
    flood,
    freezing::{self, FrozenIssue},
    pings::{self, Round},
    publisher::{Built, Destination},
    right::{self, Right, Turn},
    subscribers,
    talk::{Format, count},
    turn, workspace,
};
use crate::{
    config::Config,
    domain::{
        delivery::OnUncertain,
        digest::Digest,
        issue::{IssuePlan, Occasion},
    },
    outbox::Report,
    store::{Scope, SlotFate, Store},
};

/// Build, freeze what is due, deliver what is queued or due again
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  */15 * * * *  cd /srv/magazine && letterpress run      in a crontab
  letterpress run --wait 60                              wait for another run first
  letterpress run --on-uncertain resend                  this time, send again
  letterpress --at 2026-11-27T08:00:00+02:00 run         as if it were that moment

Without a terminal, `run` prints nothing unless a person must know it; `-v`
makes it tell everything.

Exit codes: 0 done, nothing to do, or another run is at work; 3 uncertain
deliveries are held; 4 an issue was paused or waits for approval; 65 articles have
errors; 66 no letterpress.toml, or no mailbox of bounces; 69 the ledger is held, or
its server is away; 70 runs keep dying in an issue; 74 disk; 75 the relay or that
mailbox is away, or a signal came: the next run continues; 76 the relay breaks the
protocol; 77 login or TLS; 78 configuration, or a restored ledger.")]
pub struct Run {
    /// Wait up to so many seconds for another run to end; with a ledger on a server
    /// nobody has to
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// What becomes of uncertain deliveries, instead of `on_uncertain`
    #[arg(long, value_name = "POLICY")]
    on_uncertain: Option<OnUncertain>,
    /// How long a stopped run waits for the messages under way
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = humantime::parse_duration)]
    grace: Duration,
}

/// What a run did, for `--format json` and the ledger.
#[derive(Debug, Default, Serialize)]
struct Done {
    number: i64,
    built: Option<Built>,
    hub: Round,
    seeded: usize,
    bounces: Option<bounces::Summary>,
    recovered_uncertain: u64,
    issues: Vec<FrozenIssue>,
    skipped: Vec<String>,
    held: Vec<String>,
    sent: u64,
    deferred: u64,
    rejected: u64,
    failed: u64,
    uncertain: u64,
    exit: u8,
}

/// # Errors
/// When settings or the ledger cannot be used.
pub async fn run(context: &Context, args: &Run) -> Result<Exit, Failure> {
    once(context, args).await.map_err(Failure::before_sending)
}

async fn once(context: &Context, args: &Run) -> Result<Exit, Failure> {
    let (config, warnings) = workspace::configuration(context)?;
    // 1. One run at a time where the ledger is a file; the kernel gives the lock
    //    back when a run dies. On a server each issue is frozen by one of them,
    //    and all deliver it.
    let wait = args.wait.map(Duration::from_secs);
    let mut right = match right::take(context, &config, wait).await? {
        Turn::Taken(right) => right,
        Turn::Busy(exit) => return Ok(exit),
    };
    let store = workspace::ledger(context, &config).await?;
    let context = &workspace::in_time(context, &store).await?;
    let number = turn::begin(context, &config, &store).await?;
    // 2. The steps, and how they ended, for the ledger and the caller.
    let mut done = Done {
        number,
        ..Done::default()
    };
    for warning in warnings {
        context.talk.say(warning);
    }
    let result = steps(context, args, &config, &store, &mut right, &mut done).await;
    let exit = turn::close(context, &store, number, result, |exit| {
        done.exit = exit.code();
        serde_json::to_string(&done).unwrap_or_default()
    })
    .await?;
    if context.talk.format == Format::Json {
        context.talk.data(&done, String::new)?;
    }
    Ok(exit)
}

async fn steps(
    context: &Context,
    args: &Run,
    config: &Config,
    store: &Store,
    right: &mut Right,
    done: &mut Done,
) -> Result<Exit, Failure> {
    // 1. What an earlier run left behind.
    done.recovered_uncertain = doubt::recover(context, config, store, args.on_uncertain).await?;
    readers(context, store).await?;
    // 2. The first run of a publication brings its first readers.
    done.seeded = subscribers::seed(context, config, store).await?;
    // 3. Who bounced, complained or left since the last run gets nothing new. A
    //    mailbox that cannot be read holds nobody's mail.
    let mut exit = Exit::Done;
    match bounces::in_run(context, config, store).await {
        Ok(Some(summary)) => {
            exit = summary.exit();
            done.bounces = Some(summary);
        }
        Ok(None) => {}
        Err(failure) if failure.is_unwritten() => return Err(failure),
        Err(failure) => {
            context.talk.must_say(&failure);
            exit = failure.exit;
        }
    }
    // 4. Feeds, then issues. While an article has an error, or the feeds cannot
    //    be written, no issue is made; but what is frozen still goes out.
    if let Err(failure) = publish_and_freeze(context, config, store, done).await {
        if failure.is_unwritten() {
            return Err(failure);
        }
        context.talk.must_say(&failure);
        exit = exit.worse(failure.exit);
    }
    if !done.held.is_empty() {
        exit = exit.worse(Exit::Paused);
    }
    // 5. Deliver; the hub hears of the feeds meanwhile.
    let round = pings::start(context, config, store);
    if config.mail.is_some() {
        let delivering = Delivering {
            config,
            store,
            number: done.number,
            scope: Scope::Everything,
            relay: None,
            grace: args.grace,
        };
        let told = |report: &Report| take_over(done, report);
        exit = exit.worse(deliver::all(context, &delivering, right, told).await?);
    }
    done.hub = pings::end(round).await?;
    // 6. What a person should know.
    if let Some(built) = &done.built {
        exit = exit.worse(built.tell_foreign(context));
    }
    if done.issues.is_empty() && done.built.as_ref().is_some_and(Built::is_empty) {
        idle(context, config, store, done).await?;
    }
    Ok(exit)
}

/// What readers are owed by every run: that those who never confirmed are
/// forgotten, and those who were erased leave no trace.
async fn readers(context: &Context, store: &Store) -> Result<(), Failure> {
    let forgotten = store.forget_unconfirmed(context.clock.start()).await;
    let forgotten = forgotten.map_err(workspace::store_failure)?;
    if forgotten > 0 {
        context.talk.say(format!(
            "{} forgotten: nobody confirmed within a week",
            count(forgotten, "request")
        ));
    }
    let wiped = store.finish_erasing().await;
    if !wiped.map_err(workspace::store_failure)? {
        context.talk.must_say(
            "somebody was erased, but the ledger's files cannot be wiped while another process \
             reads them; the next run tries again",
        );
    }
    Ok(())
}

async fn publish_and_freeze(
    context: &Context,
    config: &Config,
    store: &Store,
    done: &mut Done,
) -> Result<(), Failure> {
    let destination = Destination::take(context, config, None, false).await?;
    let checked = build::load(context, config, store, Some(&destination)).await?;
    let built = build::publish(context, config, store, &checked, destination).await?;
    if !built.is_empty() {
        context.talk.say(format!("built: {}", built.summary()));
    }
    done.built = Some(built);
    let result = freeze_all(context, config, store, &checked, done).await;
    // A letter has a page too, and the articles it leads to are there by now.
    if !done.issues.is_empty() && config.content.pages {
        let destination = Destination::take(context, config, None, false).await?;
        let letters = build::publish(context, config, store, &checked, destination).await?;
        context
            .talk
            .say(format!("built the letters: {}", letters.summary()));
        done.built.get_or_insert_default().add(letters);
    }
    result
}

async fn freeze_all(
    context: &Context,
    config: &Config,
    store: &Store,
    checked: &Checked,
    done: &mut Done,
) -> Result<(), Failure> {
    let mut first = None;
    for digest in &config.digests {
        // One digest's template error must not keep the others back.
        if let Err(failure) = freeze_due(context, config, store, checked, digest, done).await {
            if failure.exit != Exit::Data {
                return Err(failure);
            }
            first.get_or_insert(failure);
        }
    }
    first.map_or(Ok(()), Err)
}

async fn freeze_due(
    context: &Context,
    config: &Config,
    store: &Store,
    checked: &Checked,
    digest: &Digest,
    done: &mut Done,
) -> Result<(), Failure> {
    let Checked {
        loaded, templates, ..
    } = checked;
    let now = context.clock.start();
    let history = store
        .history(&digest.name)
        .await
        .map_err(workspace::store_failure)?;
    let due = digest.schedule.due(history.cursor, now, digest.max_late);
    for slot in &due.missed {
        context.talk.must_say(format!(
            "{}: the slot {slot} passed more than {} ago and is skipped",
            digest.name,
            humantime::format_duration(digest.max_late.to_std().unwrap_or_default())
        ));
    }
    let record = async |slots, fate, reason: &str| {
        store
            .record_slots(&digest.name, slots, fate, reason, now)
            .await
            .map_err(workspace::store_failure)
    };
    let Some(slot) = due.slot else {
        return record(due.missed, SlotFate::Missed, "passed too long ago").await;
    };
    let plan = IssuePlan::make(digest, &loaded.collection, &history, Some(slot), now);
    if !plan.is_enough(digest) {
        let reason = freezing::too_few(&plan, digest);
        record(due.missed, SlotFate::Missed, "passed too long ago").await?;
        let mut skipped = due.caught_up;
        skipped.push(slot);
        record(skipped, SlotFate::Skipped, &reason).await?;
        let line = format!("{}: no issue for {slot}: {reason}", digest.name);
        // An editor who waits for an issue must hear that none comes.
        context.talk.must_say(&line);
        done.skipped.push(line);
        return Ok(());
    }
    if !due.caught_up.is_empty() {
        context.talk.must_say(format!(
            "{}: one issue for {slot} makes up for {} before it",
            digest.name,
            count(due.caught_up.len(), "missed slot")
        ));
    }
    let flood = flood::check(store, digest, plan.articles.len(), due.caught_up.len()).await?;
    let frozen = freezing::freeze(
        &freezing::Freezing {
            config,
            store,
            loaded,
            templates,
            digest,
        },
        &plan,
        Occasion::Slot(slot),
        due,
        flood.map(|flood| format!("{flood}: held for approval")),
    )
    .await?;
    if let Some(issue) = frozen {
        freezing::tell_frozen(context, &issue);
        if let Some(flood) = flood {
            flood::tell(context, &issue, flood);
            done.held.push(issue.issue.clone());
        }
        done.issues.push(issue);
    }
    Ok(())
}

fn take_over(done: &mut Done, report: &Report) {
    done.sent = report.sent;
    done.deferred = report.deferred;
    done.rejected = report.rejected;
    done.failed = report.failed;
    done.uncertain = report.uncertain;
}

/// Nothing was read, built, frozen or sent: says so, and what comes next.
async fn idle(
    context: &Context,
    config: &Config,
    store: &Store,
    done: &Done,
) -> Result<(), Failure> {
    let came_back = done.bounces.as_ref().is_some_and(|read| !read.is_empty());
    if came_back || done.sent + done.deferred + done.rejected + done.failed + done.uncertain > 0 {
        return Ok(());
    }
    let now = context.clock.now();
    let mut line = "nothing to do".to_owned();
    if let Some(at) = store.next_due().await.map_err(workspace::store_failure)? {
        let local = at.with_timezone(&config.publication.timezone);
        line.push_str(&format!(
            "; next attempt {}",
            local.format("%Y-%m-%d %H:%M")
        ));
    } else if let Some((digest, slot)) = config
        .digests
        .iter()
        .filter_map(|digest| Some((digest, *digest.schedule.upcoming(now, 1).first()?)))
        .min_by_key(|(digest, slot)| digest.schedule.instant(*slot))
    {
        line.push_str(&format!("; {} is next due {slot}", digest.name));
    }
    context.talk.say(line);
    Ok(())
}
