//! The beginning and the end of a command that sends, for `run` and `send`:
//! what must be looked at before the first message, and what is written down.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    store::{Begun, Restored, Run, Store},
};

/// A clock that is behind the last run by less than this was corrected, not lost.
const CORRECTION: TimeDelta = TimeDelta::hours(1);

/// Begins a run and returns its number.
///
/// # Errors
/// Exit 78 when the ledger was restored from a backup, 74 when it is damaged or
/// cannot be written.
pub async fn begin(context: &Context, config: &Config, store: &Store) -> Result<i64, Failure> {
    let last = store.runs(1).await.map_err(workspace::store_failure)?;
    if let Some(last) = last.first() {
        warn_of_clock(context, config.publication.timezone, last);
    }
    let begun = store
        .begin_run(std::process::id(), context.clock.start())
        .await
        .map_err(workspace::store_failure)?;
    match begun {
        Begun::Run(number) => Ok(number),
        Begun::Restored(restored) => Err(refusal(context, &restored)),
    }
}

/// Notes how a run ended, whatever became of it, and hands its ending on.
/// `summary` is made once the exit code is known.
///
/// # Errors
/// The run's own, or that the ledger cannot be written.
pub async fn close(
    context: &Context,
    store: &Store,
    number: i64,
    result: Result<Exit, Failure>,
    summary: impl FnOnce(Exit) -> String,
) -> Result<Exit, Failure> {
    let exit = match &result {
        Ok(exit) => *exit,
        Err(failure) => failure.exit,
    };
    let (code, now) = (i32::from(exit.code()), context.clock.now());
    let ended = store.end_run(number, code, &summary(exit), now).await;
    result?;
    ended.map_err(workspace::store_failure)?;
    Ok(exit)
}

fn refusal(context: &Context, restored: &Restored) -> Failure {
    for issue in &restored.issues {
        context.talk.must_say(format!(
            "issue {}: {} uncertain now: they may have been sent after the backup was made",
            issue.issue,
            count(issue.deliveries, "queued delivery")
        ));
    }
    let Restored { run, last_run, .. } = restored;
    let lost = if run < last_run {
        format!("run {run} < {last_run}")
    } else {
        format!("run {run} without its last messages")
    };
    Failure::new(
        Exit::Config,
        format!(
            "the ledger is older than the last run here ({lost}): it was restored from a backup, \
             or lost its newest changes"
        ),
    )
    .hint(
        "nothing was sent; `letterpress store verify --accept-restored` accepts it as it is, and \
         `letterpress uncertain list` shows what it cannot know",
    )
}

fn warn_of_clock(context: &Context, zone: Tz, last: &Run) {
    let now = context.clock.start();
    let then = last.ended.unwrap_or(last.started);
    if then - now < CORRECTION {
        return;
    }
    let local = |at: chrono::DateTime<chrono::Utc>| {
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
    };
    context.talk.must_say(format!(
        "warning: the clock shows {}, but the last run ended at {}; what waits for a later time than \
         usual is due now",
        local(now),
        local(then)
    ));
}

/// Pauses issues in which runs keep dying, and notes the others as under way.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn set_out(context: &Context, store: &Store, number: i64) -> Result<Exit, Failure> {
    let paused = store
        .set_out(number)
        .await
        .map_err(workspace::store_failure)?;
    for issue in &paused {
        context.talk.must_say(format!(
            "issue {0} is paused: the last three runs died in it and settled none of its {1}\n\
             hint: find out why (out of memory? the system's log has it), then \
             `letterpress issues resume {0}`",
            issue.issue,
            count(issue.deliveries, "open delivery")
        ));
    }
    Ok(if paused.is_empty() {
        Exit::Done
    } else {
        Exit::Internal
    })
}
