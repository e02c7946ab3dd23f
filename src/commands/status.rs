//! `status`: where everything stands, in one screen.

mod crew;

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, FixedOffset, Utc};
use clap::Args;
use serde::Serialize;

use self::crew::Crew;
use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::Config,
    domain::{
        delivery::State,
        digest::Digest,
        issue::{History, IssueState},
        report::ReportKind,
        text::grouped,
    },
    store::{IssueSummary, RelayMemory, ReportCounts, Run, Store, WaitingPings},
};

/// Show where everything stands, in one screen
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress status
  letterpress status --format json | jq .uncertain")]
pub struct Status {}

#[derive(Serialize)]
struct Standing {
    publication: String,
    readers: BTreeMap<&'static str, u64>,
    digests: Vec<Next>,
    under_way: Vec<UnderWay>,
    came_back: Vec<CameBack>,
    uncertain: usize,
    duplicates: usize,
    waiting_pings: Option<WaitingPings>,
    relays: Vec<RelayMemory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crew: Option<Crew>,
    last_run: Option<Run>,
}

#[derive(Serialize)]
struct Next {
    digest: String,
    issues: u32,
    last_slot: Option<String>,
    next_slot: Option<String>,
    next_at: Option<DateTime<FixedOffset>>,
}

#[derive(Serialize)]
struct UnderWay {
    issue: String,
    state: &'static str,
    reason: Option<String>,
    counts: BTreeMap<&'static str, u64>,
}

/// What reports say of an issue.
#[derive(Serialize)]
struct CameBack {
    issue: String,
    sent: u64,
    reports: ReportCounts,
}

/// # Errors
/// When the ledger cannot be read.
pub async fn run(context: &Context, _: &Status) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let store = workspace::existing_ledger(context, &config).await?;
    let standing = match &store {
        Some(store) => standing(context, &config, store).await?,
        None => Standing {
            publication: config.publication.title.clone(),
            readers: BTreeMap::new(),
            digests: config
                .digests
                .iter()
                .map(|digest| next(context, digest, &History::default()))
                .collect(),
            under_way: Vec::new(),
            came_back: Vec::new(),
            uncertain: 0,
            duplicates: 0,
            waiting_pings: None,
            relays: Vec::new(),
            crew: None,
            last_run: None,
        },
    };
    context.talk.data(&standing, || text(&config, &standing))?;
    if store.is_none() {
        context
            .talk
            .say("there is no ledger yet; `letterpress run` makes it");
    }
    Ok(Exit::Done)
}

async fn standing(context: &Context, config: &Config, store: &Store) -> Result<Standing, Failure> {
    let failed = workspace::store_failure;
    let readers = store.counts_by_status().await.map_err(failed)?;
    let mut digests = Vec::new();
    for digest in &config.digests {
        let history = store.history(&digest.name).await.map_err(failed)?;
        digests.push(next(context, digest, &history));
    }
    let issues = store.issues(100).await.map_err(failed)?;
    let came_back = came_back(&issues);
    let under_way = issues
        .into_iter()
        .filter(|issue| matches!(issue.state, IssueState::Sending | IssueState::Paused))
        .map(|issue| UnderWay {
            issue: format!("{}/{}", issue.digest, issue.number),
            state: issue.state.as_str(),
            reason: issue.reason,
            counts: issue
                .counts
                .iter()
                .map(|(state, number)| (state.as_str(), *number))
                .collect(),
        })
        .collect();
    let pruned = store.pruned_duplicates().await.map_err(failed)?;
    let pruned = usize::try_from(pruned).unwrap_or(usize::MAX);
    Ok(Standing {
        publication: config.publication.title.clone(),
        readers: readers
            .iter()
            .map(|(status, number)| (status.as_str(), *number))
            .collect(),
        digests,
        under_way,
        came_back,
        uncertain: store.uncertain().await.map_err(failed)?.len(),
        duplicates: store.duplicates().await.map_err(failed)?.len() + pruned,
        waiting_pings: store.waiting_pings().await.map_err(failed)?,
        relays: relays(config, store.relays().await.map_err(failed)?),
        crew: crew::of(store, context.clock.now()).await?,
        last_run: store.last_run().await.map_err(failed)?,
    })
}

/// So many of the newest issues are looked at for what came back.
const NEWEST: usize = 10;

fn came_back(issues: &[IssueSummary]) -> Vec<CameBack> {
    let newest = issues.iter().take(NEWEST);
    newest
        .filter(|issue| issue.reports.keys().any(|kind| *kind > ReportKind::Delayed))
        .map(|issue| CameBack {
            issue: format!("{}/{}", issue.digest, issue.number),
            sent: issue.counts.get(&State::Sent).copied().unwrap_or(0),
            reports: issue.reports.clone(),
        })
        .collect()
}

/// One line: `3 hard bounces (0.15 %), 1 complaint (0.05 %) of 2,000 sent`.
fn came_back_text(one: &CameBack) -> String {
    let part = |(kind, number): (&ReportKind, &u64)| {
        let per_myriad = number * 10_000 / one.sent.max(1);
        let what = match kind {
            ReportKind::Blocked => format!("{number} blocked"),
            _ => super::talk::count(*number, kind.as_str()),
        };
        format!("{what} ({}.{:02} %)", per_myriad / 100, per_myriad % 100)
    };
    let grave = one
        .reports
        .iter()
        .filter(|(kind, _)| **kind > ReportKind::Delayed);
    let parts: Vec<String> = grave.rev().map(part).collect();
    format!(
        "{}: {} of {} sent",
        one.issue,
        parts.join(", "),
        grouped(one.sent)
    )
}

/// Of what is remembered, the relays that are still configured.
fn relays(config: &Config, known: Vec<RelayMemory>) -> Vec<RelayMemory> {
    let configured = config.mail.iter().flat_map(|mail| &mail.relays);
    let names: Vec<String> = configured.map(|one| one.relay.to_string()).collect();
    let is_configured = |relay: &RelayMemory| names.contains(&relay.name);
    known.into_iter().filter(is_configured).collect()
}

fn relay_text(config: &Config, relay: &RelayMemory) -> String {
    let mut text = format!(
        "relay      {}: {} at once",
        relay.name,
        super::talk::count(relay.sessions as usize, "session")
    );
    if let Some((since, reason)) = &relay.away {
        let since = since.with_timezone(&config.publication.timezone);
        let since = since.format("%Y-%m-%d %H:%M");
        let _ = write!(text, ", does not serve since {since} ({reason})");
    }
    if let Some((until, reply)) = &relay.quiet {
        let until = until.format("%Y-%m-%d %H:%M");
        let _ = write!(text, ", takes no more until {until} UTC (`{reply}`)");
    }
    text
}

fn next(context: &Context, digest: &Digest, history: &History) -> Next {
    let upcoming = digest.schedule.upcoming(context.clock.start(), 1);
    let next = upcoming.first().copied();
    Next {
        digest: digest.name.to_string(),
        issues: history.last_number,
        last_slot: history.cursor.map(|slot| slot.to_string()),
        next_slot: next.map(|slot| slot.to_string()),
        next_at: next.map(|slot| {
            let zone = digest.schedule.zone();
            let at = digest.schedule.instant(slot);
            at.with_timezone(&zone).fixed_offset()
        }),
    }
}

fn text(config: &Config, standing: &Standing) -> String {
    let mut text = format!("{}\n", standing.publication);
    let readers: Vec<String> = standing
        .readers
        .iter()
        .map(|(status, number)| format!("{number} {status}"))
        .collect();
    let _ = writeln!(
        text,
        "readers    {}",
        if readers.is_empty() {
            "none yet".to_owned()
        } else {
            readers.join(", ")
        }
    );
    for next in &standing.digests {
        let at = next.next_at.map_or_else(
            || "never due again".to_owned(),
            |at| format!("next due {}", at.format("%A %-d %B %Y, %H:%M")),
        );
        let issues = super::talk::count(next.issues as usize, "issue");
        let _ = writeln!(text, "digest     {}: {issues} so far, {at}", next.digest);
    }
    for issue in &standing.under_way {
        let counts: Vec<String> = State::ALL
            .into_iter()
            .filter_map(|state| {
                let number = issue.counts.get(state.as_str())?;
                (*number > 0).then(|| format!("{number} {state}"))
            })
            .collect();
        let _ = writeln!(
            text,
            "{:<10} {}: {}",
            issue.state,
            issue.issue,
            counts.join(", ")
        );
        if let Some(reason) = &issue.reason {
            let _ = writeln!(text, "           {reason}");
        }
    }
    for one in &standing.came_back {
        let _ = writeln!(text, "came back  {}", came_back_text(one));
    }
    if standing.uncertain > 0 {
        let _ = writeln!(
            text,
            "uncertain  {}: see `letterpress uncertain list`",
            standing.uncertain
        );
    }
    if standing.duplicates > 0 {
        let number = super::talk::count(standing.duplicates, "delivery");
        let _ = writeln!(
            text,
            "twice      the relay took {number} more than once after a resend; see `letterpress why`"
        );
    }
    if let (Some(pings), Some(hub)) = (&standing.waiting_pings, &config.feeds.hub) {
        let zone = config.publication.timezone;
        let time = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
        let _ = writeln!(
            text,
            "hub        {hub} is still to be told of {} (since {}), next at {}",
            super::talk::count(pings.count, "feed"),
            time(pings.since),
            time(pings.next_at)
        );
        if let Some(error) = &pings.last_error {
            let _ = writeln!(text, "           {error}");
        }
    }
    for relay in &standing.relays {
        let _ = writeln!(text, "{}", relay_text(config, relay));
    }
    if let Some(crew) = &standing.crew {
        text.push_str(&crew.text());
    }
    if let Some(run) = &standing.last_run {
        let started = run.started.with_timezone(&config.publication.timezone);
        let end = match (run.ended, run.exit_code) {
            (Some(_), Some(code)) => format!("exit {code}"),
            _ => format!("has not ended (pid {})", run.pid),
        };
        let _ = writeln!(
            text,
            "last run   number {}, {}: {end}",
            run.number,
            started.format("%A %-d %B %Y, %H:%M"),
        );
    }
    text
}
