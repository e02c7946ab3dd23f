//! `uncertain`: deliveries of which nobody knows whether they arrived.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Context,
    check_log::{self, CheckLog},
    exit::{Exit, Failure},
    issues,
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    domain::{address::EmailAddress, delivery::DeliveryId},
    store::{CRASH, RESTORED, Store, UncertainDelivery},
};

/// List or settle deliveries of which nobody knows whether they arrived
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress uncertain list
  letterpress uncertain mark-sent --all                 count them as sent
  letterpress uncertain resend --issue weekly/3         send them once more
  letterpress uncertain resend anna@example.org
  letterpress uncertain check-log /var/log/mail.log     settle by a Postfix log

A delivery is uncertain when this machine or the relay vanished between the end
of a message and the answer to it. Most of these messages did arrive: that is
why nothing is sent again by itself (`mail.on_uncertain = \"hold\"`).")]
pub struct Uncertain {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every uncertain delivery, one line each
    List {
        /// Show addresses in full
        #[arg(long)]
        full: bool,
    },
    /// Count them as sent
    MarkSent(Which),
    /// Send them once more, with the same Message-ID
    Resend(Which),
    CheckLog(CheckLog),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Which {
    /// These: delivery numbers or addresses
    #[arg(value_name = "DELIVERY|ADDRESS")]
    which: Vec<String>,
    /// All of one issue: DIGEST/NUMBER
    #[arg(long, value_name = "ISSUE")]
    issue: Option<String>,
    /// All there are
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Row {
    delivery: DeliveryId,
    issue: String,
    address: String,
    since: chrono::DateTime<chrono::FixedOffset>,
    attempt: i64,
    last_phase: &'static str,
    reason: String,
}

/// What had certainly happened when the trail ends.
fn last_phase(reason: &str) -> &'static str {
    match reason {
        // The intent was durable; how far the message came, nobody saw.
        CRASH => "intent",
        // It was queued or under way then; what came after it, the copy forgot.
        RESTORED => "backup",
        _ => "dot",
    }
}

/// What happened, for people.
fn happened(reason: &str) -> &str {
    match reason {
        CRASH => "this machine's run died before the answer was on record",
        RESTORED => "a backup was restored; it may have been sent after that was made",
        other => other,
    }
}

/// # Errors
/// When the ledger cannot be used, or a name means nothing.
pub async fn run(context: &Context, args: &Uncertain) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    match &args.what {
        What::List { full } => {
            let found = match workspace::existing_ledger(context, &config).await? {
                Some(store) => store.uncertain().await.map_err(workspace::store_failure)?,
                None => Vec::new(),
            };
            list(context, &config, &found, *full)?;
            Ok(Exit::Done)
        }
        What::MarkSent(which) => {
            let store = workspace::ledger(context, &config).await?;
            let chosen = choose(&config, &store, which).await?;
            let marked = store
                .mark_sent(chosen)
                .await
                .map_err(workspace::store_failure)?;
            finish(context, &store).await?;
            context.talk.say(format!("{marked} counted as sent"));
            Ok(Exit::Done)
        }
        What::Resend(which) => {
            let store = workspace::ledger(context, &config).await?;
            let chosen = choose(&config, &store, which).await?;
            let resent = store
                .resend(chosen, context.clock.now())
                .await
                .map_err(workspace::store_failure)?;
            finish(context, &store).await?;
            context.talk.say(format!(
                "{} queued again; the next `letterpress run` sends them",
                resent.queued
            ));
            if resent.left > 0 {
                context.talk.say(format!(
                    "{} left as they are: the reader has left, or the issue was cancelled",
                    resent.left
                ));
            }
            Ok(Exit::Done)
        }
        What::CheckLog(args) => check_log::run(context, &config, args).await,
    }
}

/// An issue whose last uncertain delivery was settled may be done now.
pub(super) async fn finish(context: &Context, store: &Store) -> Result<(), Failure> {
    store
        .finish_issues(context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    Ok(())
}

fn list(
    context: &Context,
    config: &Config,
    found: &[UncertainDelivery],
    is_full: bool,
) -> Result<(), Failure> {
    let zone = config.publication.timezone;
    let rows: Vec<Row> = found
        .iter()
        .map(|delivery| Row {
            delivery: delivery.id,
            issue: format!("{}/{}", delivery.digest, delivery.number),
            address: shown(delivery, is_full),
            since: delivery.since.with_timezone(&zone).fixed_offset(),
            attempt: delivery.attempt,
            last_phase: last_phase(&delivery.reason),
            reason: delivery.reason.clone(),
        })
        .collect();
    context.talk.data(&rows, || {
        if rows.is_empty() {
            return String::new();
        }
        let head = [
            "delivery",
            "issue",
            "address",
            "since",
            "attempt",
            "last phase",
            "what happened",
            "settle with `uncertain …`",
        ];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        table.extend(rows.iter().map(|row| {
            vec![
                row.delivery.to_string(),
                row.issue.clone(),
                row.address.clone(),
                row.since.format("%Y-%m-%d %H:%M").to_string(),
                row.attempt.to_string(),
                row.last_phase.to_owned(),
                happened(&row.reason).to_owned(),
                format!("check-log LOG, mark-sent {0} or resend {0}", row.delivery),
            ]
        }));
        workspace::table(&table)
    })?;
    context.talk.say(match rows.len() {
        0 => "no delivery is uncertain".to_owned(),
        number => format!(
            "{}; settle with `uncertain check-log`, `mark-sent` or `resend`",
            count(number, "uncertain delivery")
        ),
    });
    Ok(())
}

/// The reader's address, masked unless asked for in full.
pub(super) fn shown(delivery: &UncertainDelivery, is_full: bool) -> String {
    match &delivery.address {
        Some(address) if is_full => address.expose().to_owned(),
        Some(address) => address.to_string(),
        None => "erased".to_owned(),
    }
}

async fn choose(config: &Config, store: &Store, which: &Which) -> Result<Vec<DeliveryId>, Failure> {
    let uncertain = store.uncertain().await.map_err(workspace::store_failure)?;
    let issue = match &which.issue {
        Some(name) => Some(issues::find(config, store, name).await?.id),
        None => None,
    };
    let mut chosen: Vec<DeliveryId> = uncertain
        .iter()
        .filter(|delivery| which.all || issue == Some(delivery.issue))
        .map(|delivery| delivery.id)
        .collect();
    for name in &which.which {
        let address = EmailAddress::international(name).ok();
        let number = name.parse::<DeliveryId>().ok();
        let before = chosen.len();
        chosen.extend(
            uncertain
                .iter()
                .filter(|delivery| {
                    let same = |a: &EmailAddress| {
                        delivery
                            .address
                            .as_ref()
                            .is_some_and(|b| b.key() == a.key())
                    };
                    number == Some(delivery.id) || address.as_ref().is_some_and(same)
                })
                .map(|delivery| delivery.id),
        );
        if chosen.len() == before {
            return Err(
                Failure::new(Exit::NoInput, format!("`{name}` is no uncertain delivery"))
                    .hint("`letterpress uncertain list` has them by number and address"),
            );
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}
