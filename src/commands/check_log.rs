//! `uncertain check-log`: settles uncertain deliveries by what the relay logged.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Local, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use clap::Args;
use flate2::bufread::MultiGzDecoder;
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    uncertain, workspace,
};
use crate::{
    config::Config,
    domain::delivery::DeliveryId,
    inbound::postfix_log::{Asked, Evidence, PostfixLog},
    links::Signer,
    store::{RESTORED, Store, UncertainDelivery},
};

/// Settle uncertain deliveries by the log of a Postfix relay
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress uncertain check-log /var/log/mail.log
  letterpress uncertain check-log /var/log/mail.log.1 /var/log/mail.log
  letterpress uncertain check-log /var/log/mail.log.2.gz --dry-run
  journalctl -u postfix@- --since yesterday | letterpress uncertain check-log -

A delivery counts as sent when the queue manager logged its message as active;
that its Message-ID was logged proves nothing yet. It is queued again when the
log covers the attempt from before it began until well after it and has no such
line. In all other cases it stays uncertain, and the reason is printed.")]
pub struct CheckLog {
    /// Log files, compressed (.gz) or not; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How long after an attempt the log must go on to prove that nothing came
    #[arg(long, value_name = "SPAN", default_value = "15m", value_parser = humantime::parse_duration)]
    margin: Duration,
    /// Time zone of time stamps that name none [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<Tz>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is done with one delivery, and why.
#[derive(Serialize)]
struct Row {
    delivery: DeliveryId,
    issue: String,
    address: String,
    decision: Decision,
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    Sent,
    QueuedAgain,
    LeftUncertain,
}

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::QueuedAgain => "queued again",
            Self::LeftUncertain => "left uncertain",
        }
    }
}

/// # Errors
/// When a file or the ledger cannot be read.
pub async fn run(context: &Context, config: &Config, args: &CheckLog) -> Result<Exit, Failure> {
    // 1. What is to be settled.
    let store = workspace::ledger(context, config).await?;
    let uncertain = store.uncertain().await.map_err(workspace::store_failure)?;
    // 2. What the log says about each.
    let signer = Signer::new(store.install_key());
    let rows = match args.zone {
        Some(zone) => judge(context, config, args, &signer, &uncertain, zone)?,
        None => judge(context, config, args, &signer, &uncertain, Local)?,
    };
    // 3. Settle, and tell.
    if !args.dry_run {
        settle(context, &store, &rows).await?;
    }
    tell(context, args, &rows)?;
    Ok(Exit::Done)
}

fn judge<Z: TimeZone>(
    context: &Context,
    config: &Config,
    args: &CheckLog,
    signer: &Signer,
    uncertain: &[UncertainDelivery],
    zone: Z,
) -> Result<Vec<Row>, Failure> {
    let message_id = |delivery: &UncertainDelivery| {
        // The log compares what comes before the domain, which is unique.
        signer.message_id(delivery.issue, delivery.id, delivery.number, "")
    };
    let asked = uncertain.iter().map(|delivery| Asked {
        message_id: message_id(delivery),
        sender: signer.bounce_local(delivery.id),
    });
    let mut log = PostfixLog::new(asked, zone, context.clock.now());
    for lines in in_order(&args.files, context.clock.now())? {
        let Lines { path, reader, .. } = lines;
        log.read(reader)
            .map_err(|error| unreadable(&path, &error))?;
    }
    let relays = config.mail.as_ref().map_or(0, |mail| mail.relays.len());
    let margin = TimeDelta::from_std(args.margin).unwrap_or(TimeDelta::MAX);
    Ok(uncertain
        .iter()
        .map(|delivery| {
            let settled = delivery
                .started
                .checked_add_signed(margin)
                .unwrap_or(DateTime::<Utc>::MAX_UTC)
                .max(delivery.since);
            let evidence = log.says(&message_id(delivery), delivery.started, settled);
            let (decision, why) = decide(evidence, relays, &delivery.reason);
            Row {
                delivery: delivery.id,
                issue: format!("{}/{}", delivery.digest, delivery.number),
                address: uncertain::shown(delivery, false),
                decision,
                why,
            }
        })
        .collect())
}

fn decide(evidence: Evidence, relays: usize, reason: &str) -> (Decision, String) {
    match evidence {
        Evidence::Taken(taken) => {
            let at = taken.at.format("%Y-%m-%d %H:%M:%S UTC");
            let why = format!("{} was in the relay's active queue at {at}", taken.queue_id);
            (Decision::Sent, why)
        }
        // The time of its attempt is that of the restoring.
        Evidence::NotTaken(_) if reason == RESTORED => (
            Decision::LeftUncertain,
            "not in this log, but a backup does not know when it may have been sent".to_owned(),
        ),
        // Which of them it was handed to is not on record.
        Evidence::NotTaken(_) if relays > 1 => (
            Decision::LeftUncertain,
            "not in this log, but there are several relays".to_owned(),
        ),
        Evidence::NotTaken(Some(queue_id)) => {
            let why = format!("{queue_id} began to receive it and never queued it");
            (Decision::QueuedAgain, why)
        }
        Evidence::NotTaken(None) => {
            let why = "the log is complete and does not know it".to_owned();
            (Decision::QueuedAgain, why)
        }
        Evidence::Unclear(why) => (Decision::LeftUncertain, why),
    }
}

async fn settle(context: &Context, store: &Store, rows: &[Row]) -> Result<(), Failure> {
    let chosen = |decision| {
        let rows = rows.iter().filter(move |row| row.decision == decision);
        rows.map(|row| row.delivery).collect::<Vec<_>>()
    };
    store
        .mark_sent(chosen(Decision::Sent))
        .await
        .map_err(workspace::store_failure)?;
    store
        .resend(chosen(Decision::QueuedAgain), context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    uncertain::finish(context, store).await
}

fn tell(context: &Context, args: &CheckLog, rows: &[Row]) -> Result<(), Failure> {
    context.talk.data(&rows, || {
        if rows.is_empty() {
            return String::new();
        }
        let head = ["delivery", "issue", "address", "decision", "why"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        table.extend(rows.iter().map(|row| {
            vec![
                row.delivery.to_string(),
                row.issue.clone(),
                row.address.clone(),
                row.decision.as_str().to_owned(),
                row.why.clone(),
            ]
        }));
        workspace::table(&table)
    })?;
    let number = |decision| rows.iter().filter(|row| row.decision == decision).count();
    let conditional = if args.dry_run { "would be " } else { "" };
    context.talk.say(match rows.len() {
        0 => "no delivery is uncertain".to_owned(),
        all => format!(
            "{}: {} {conditional}counted as sent, {} {conditional}queued again, {} left",
            count(all, "uncertain delivery"),
            number(Decision::Sent),
            number(Decision::QueuedAgain),
            number(Decision::LeftUncertain)
        ),
    });
    Ok(())
}

/// The lines of one file, unpacked.
struct Lines {
    path: PathBuf,
    begins: Option<DateTime<Utc>>,
    reader: Box<dyn BufRead>,
}

/// The files by the time of their first line, so that rotated logs may be
/// given in any order. Standard input comes last.
fn in_order(files: &[PathBuf], now: DateTime<Utc>) -> Result<Vec<Lines>, Failure> {
    let mut all = Vec::new();
    for path in files {
        let failed = |error: io::Error| unreadable(path, &error);
        let mut begins = None;
        let reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
            unpacked(BufReader::new(io::stdin())).map_err(failed)?
        } else {
            // The order among the files is the same in every zone.
            let mut first = PostfixLog::new([], Utc, now);
            let head = open(path).map_err(failed)?.take(64 * 1024);
            first.read(BufReader::new(head)).map_err(failed)?;
            begins = first.begins();
            open(path).map_err(failed)?
        };
        all.push(Lines {
            path: path.clone(),
            begins,
            reader,
        });
    }
    all.sort_by_key(|lines| lines.begins.unwrap_or(DateTime::<Utc>::MAX_UTC));
    Ok(all)
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    unpacked(BufReader::new(File::open(path)?))
}

/// gzip is known by its first two bytes (RFC 1952).
fn unpacked(mut reader: impl BufRead + 'static) -> io::Result<Box<dyn BufRead>> {
    let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip {
        Box::new(BufReader::new(MultiGzDecoder::new(reader)))
    } else {
        Box::new(reader)
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NoInput,
        _ => Exit::Io,
    };
    Failure::new(exit, format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inbound::postfix_log::Taken, store::CRASH};

    #[test]
    fn a_log_does_not_prove_that_a_restored_one_was_never_sent() {
        let decision = |evidence, reason| decide(evidence, 1, reason).0;
        assert_eq!(
            decision(Evidence::NotTaken(None), CRASH),
            Decision::QueuedAgain
        );
        for evidence in [
            Evidence::NotTaken(None),
            Evidence::NotTaken(Some("4711".to_owned())),
        ] {
            assert_eq!(decision(evidence, RESTORED), Decision::LeftUncertain);
        }
        let taken = Evidence::Taken(Taken {
            at: DateTime::UNIX_EPOCH,
            queue_id: "4711".to_owned(),
        });
        assert_eq!(decision(taken, RESTORED), Decision::Sent);
    }
}
