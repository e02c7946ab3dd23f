//! How a drain ended: what people hear of it, and the exit code that follows.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    domain::text::grouped,
    outbox::{Report, Why},
    store::Store,
};

/// The exit code of an ending.
#[must_use]
pub fn exit_for(why: Why) -> Exit {
    match why {
        Why::RelayAway | Why::Quota | Why::Stopped => Exit::Temporary,
        Why::Protocol => Exit::Protocol,
        Why::Refused => Exit::Refused,
        Why::Sender => Exit::Config,
        Why::Content => Exit::Paused,
        Why::OthersServe => Exit::Done,
        Why::Folder => Exit::Io,
    }
}

/// Says how a drain went, and what that means for the exit code.
pub fn conclude(context: &Context, config: &Config, report: &Report) -> Exit {
    let talk = &context.talk;
    let mut exit = Exit::Done;
    let mut done = Vec::new();
    for (amount, word) in [
        (report.sent, "sent"),
        (report.rejected, "refused"),
        (report.failed, "failed"),
        (report.deferred, "deferred"),
    ] {
        if amount > 0 {
            done.push(format!("{} {word}", grouped(amount)));
        }
    }
    if let Some(at) = report.next_due.filter(|_| report.deferred > 0) {
        done.push(next_attempt(at, context.clock.now(), config));
    }
    if !done.is_empty() {
        talk.say(done.join(", "));
    }
    if report.suppressed > 0 {
        talk.say(format!(
            "{} will not be written to again",
            count(report.suppressed, "unknown address")
        ));
    }
    for (reason, amount) in &report.failures {
        talk.must_say(format!("{} failed: {reason}", grouped(*amount)));
    }
    if !report.paused.iter().any(|paused| paused.why == Why::Sender) {
        for complaint in &report.complaints {
            talk.must_say(complaint);
        }
    }
    for late in &report.confirmed {
        talk.must_say(format!(
            "late confirmation: delivery {} of {}/{} had become uncertain; the relay took attempt {}, \
             and it is sent",
            late.delivery, late.digest, late.number, late.attempt
        ));
    }
    for late in &report.late {
        talk.must_say(format!(
            "delivery {} of {}/{}: the relay took attempt {} after all, when attempt {} had been \
             made; this reader may have it twice, see `letterpress why`",
            late.delivery, late.digest, late.number, late.attempt, late.newest
        ));
        exit = exit.worse(Exit::Uncertain);
    }
    for paused in &report.paused {
        talk.must_say(format!(
            "issue {} is paused: {}\nhint: mend it, then `letterpress issues resume {}`",
            paused.issue, paused.text, paused.issue
        ));
        exit = exit.worse(exit_for(paused.why));
    }
    for (relay, sent) in &report.relays {
        talk.say(format!("relay {relay}: {} sent", grouped(*sent)));
    }
    for ending in report.dropped.iter().chain(&report.ending) {
        talk.must_say(&ending.text);
        exit = exit.worse(exit_for(ending.why));
    }
    exit
}

/// In local time, rounded up: a run at that minute finds something to do.
fn next_attempt(at: DateTime<Utc>, now: DateTime<Utc>, config: &Config) -> String {
    let zone = config.publication.timezone;
    let up = TimeDelta::seconds((60 - at.timestamp().rem_euclid(60)) % 60);
    let local = (at + up).with_timezone(&zone);
    let format = if local.date_naive() == now.with_timezone(&zone).date_naive() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    format!("next attempt {}", local.format(format))
}

/// Says that uncertain deliveries are held, as long as there are any.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn uncertain_held(context: &Context, store: &Store) -> Result<Exit, Failure> {
    let held = store
        .uncertain()
        .await
        .map_err(workspace::store_failure)?
        .len();
    if held == 0 {
        return Ok(Exit::Done);
    }
    context.talk.must_say(format!(
        "{} held: nobody knows whether it arrived; see `letterpress uncertain list`",
        count(held, "uncertain delivery")
    ));
    Ok(Exit::Uncertain)
}
