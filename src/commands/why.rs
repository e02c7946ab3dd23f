//! `why`: the whole story of one reader, of one issue or all.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    issues, subscribers, workspace,
};
use crate::{
    config::Config,
    domain::{
        address::EmailAddress,
        choice::EVERYTHING,
        delivery::{IssueId, State},
        text::one_line,
    },
    store::{DeliveryStory, Event, Story, Suppression},
};

/// Tell the whole story of one reader and one issue
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress why anna@example.org
  letterpress why anna@example.org weekly/3")]
pub struct Why {
    /// The reader
    address: String,
    /// Only this issue: DIGEST/NUMBER
    issue: Option<String>,
}

#[derive(Serialize)]
struct Told<'a> {
    email: &'a str,
    name: Option<&'a str>,
    status: Option<&'static str>,
    since: Option<DateTime<Utc>>,
    choice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<DateTime<Utc>>,
    suppression: Option<&'a Suppression>,
    events: &'a [Event],
    deliveries: &'a [DeliveryStory],
    pruned_issues: u64,
}

/// # Errors
/// When nothing is known of the address.
pub async fn run(context: &Context, args: &Why) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let address = subscribers::parse(&args.address)?;
    show(context, &config, &address, args.issue.as_deref()).await
}

/// Prints everything the ledger knows of an address.
///
/// # Errors
/// Exit 66 when nothing is known of it.
pub async fn show(
    context: &Context,
    config: &Config,
    address: &EmailAddress,
    issue: Option<&str>,
) -> Result<Exit, Failure> {
    let store = workspace::needed_ledger(context, config).await?;
    let issue: Option<IssueId> = match issue {
        Some(name) => Some(issues::find(config, &store, name).await?.id),
        None => None,
    };
    let story = store
        .why(address, issue)
        .await
        .map_err(workspace::store_failure)?;
    if story.subscriber.is_none() && story.suppression.is_none() {
        return Err(Failure::new(
            Exit::NoInput,
            format!("nothing is known of {}", address.expose()),
        )
        .hint("look for another spelling with `letterpress subscribers list`"));
    }
    let reader = story.subscriber.as_ref();
    let told = Told {
        email: address.expose(),
        name: reader.and_then(|reader| reader.name.as_deref()),
        status: reader.map(|reader| reader.status.as_str()),
        since: reader.map(|reader| reader.changed),
        choice: reader.map(|reader| reader.choice.in_words()),
        paused_until: reader.and_then(|reader| reader.paused_until),
        suppression: story.suppression.as_ref(),
        events: &story.events,
        deliveries: &story.deliveries,
        pruned_issues: story.pruned_issues,
    };
    context
        .talk
        .data(&told, || text(&told, &story, config.publication.timezone))?;
    Ok(Exit::Done)
}

fn text(told: &Told<'_>, story: &Story, zone: Tz) -> String {
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S");
    let mut text = told.email.to_owned();
    if let Some(name) = told.name {
        let _ = write!(text, " ({name})");
    }
    if let (Some(status), Some(since)) = (told.status, told.since) {
        let _ = write!(text, ": {status} since {}", local(since));
    }
    text.push('\n');
    if let Some(choice) = told.choice.as_ref().filter(|choice| *choice != EVERYTHING) {
        let _ = writeln!(text, "gets {choice}");
    }
    if let Some(until) = told.paused_until {
        let _ = writeln!(text, "wants no issues before {}", local(until));
    }
    if let Some(suppression) = told.suppression {
        let _ = writeln!(
            text,
            "suppressed since {}: {}",
            local(suppression.since),
            suppression.reason
        );
    }
    for event in told.events {
        let _ = write!(
            text,
            "{}  {} ({}",
            local(event.at),
            event.what,
            event.source
        );
        if let Some(network) = &event.network {
            let _ = write!(text, ", {network}");
        }
        if let Some(wording) = &event.wording {
            let _ = write!(text, ", words {:.12}", wording.sha256);
        }
        text.push_str(")\n");
    }
    let wordings: BTreeMap<&str, &str> = told
        .events
        .iter()
        .filter_map(|event| event.wording.as_ref())
        .map(|wording| (wording.sha256.as_str(), wording.words.as_str()))
        .collect();
    for (sha256, words) in wordings {
        let _ = writeln!(text, "words {sha256:.12}: {}", one_line(words));
    }
    if story.pruned_issues > 0 {
        let _ = writeln!(
            text,
            "{} pruned: who got them is not known any more",
            match story.pruned_issues {
                1 => "1 older issue was".to_owned(),
                number => format!("{number} older issues were"),
            }
        );
    } else if story.deliveries.is_empty() {
        text.push_str("no issue was frozen for this reader\n");
    }
    for delivery in told.deliveries {
        let _ = write!(
            text,
            "\nissue {}/{}: {} (delivery {})",
            delivery.digest, delivery.number, delivery.state, delivery.id
        );
        if delivery.edition > 1 {
            let _ = write!(text, ", edition {}", delivery.edition);
        }
        if let Some(at) = delivery.next_attempt_at {
            let _ = write!(text, ", due {}", local(at));
        }
        text.push('\n');
        if delivery.state == State::Uncertain {
            let _ = writeln!(
                text,
                "  nobody knows whether it arrived: `letterpress uncertain mark-sent {0}` or \
                 `letterpress uncertain resend {0}`",
                delivery.id
            );
        }
        for attempt in &delivery.attempts {
            let reply = [
                attempt.code.map(|code| code.to_string()),
                attempt.reply.clone(),
            ];
            let _ = writeln!(
                text,
                "  {}  attempt {}: {} {}",
                local(attempt.started),
                attempt.id,
                attempt.outcome.unwrap_or("under way"),
                reply.into_iter().flatten().collect::<Vec<_>>().join(" ")
            );
        }
        for report in &delivery.reports {
            let words = [report.code.clone(), Some(report.reason.clone())];
            let _ = writeln!(
                text,
                "  {}  came back: {} {}",
                local(report.at),
                report.kind.as_str(),
                words
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .trim_end()
            );
        }
    }
    text
}
