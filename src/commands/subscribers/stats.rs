//! `subscribers stats`: how the list grows and shrinks, and what came back of
//! each issue.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        workspace,
    },
    config::Config,
    domain::{delivery::State, report::ReportKind, subscriber::Status},
    store::{IssueSummary, Month},
};

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// So many of the newest months
    #[arg(long, value_name = "N", default_value_t = 12)]
    months: usize,
    /// So many of the newest issues
    #[arg(long, value_name = "N", default_value_t = 12)]
    issues: usize,
}

#[derive(Serialize)]
struct Told {
    readers: BTreeMap<Status, u64>,
    months: Vec<Growth>,
    issues: Vec<CameBack>,
}

/// How the list changed in a month.
#[derive(Serialize)]
struct Growth {
    month: String,
    joined: u64,
    left: u64,
    bounced: u64,
    complained: u64,
    erased: u64,
    active_at_end: u64,
    /// Those who went, of those who were active when it began.
    churn: Option<f64>,
}

/// What came back of an issue, of what was sent.
#[derive(Serialize)]
struct CameBack {
    issue: String,
    sent: u64,
    bounced: u64,
    bounce_rate: Option<f64>,
    complained: u64,
    complaint_rate: Option<f64>,
}

pub(super) async fn run(context: &Context, config: &Config, args: &Stats) -> Result<Exit, Failure> {
    let store = workspace::needed_ledger(context, config).await?;
    let failed = workspace::store_failure;
    let zone = config.publication.timezone;
    let months = store.growth(zone).await.map_err(failed)?;
    let issues = store.issues(args.issues).await.map_err(failed)?;
    let mut growth = growth(months);
    let told = Told {
        readers: store.counts_by_status().await.map_err(failed)?,
        months: growth.split_off(growth.len().saturating_sub(args.months)),
        issues: issues.iter().map(came_back).collect(),
    };
    context.talk.data(&told, || text(&told))?;
    Ok(Exit::Done)
}

fn growth(months: BTreeMap<String, Month>) -> Vec<Growth> {
    let mut active: u64 = 0;
    let told = months.into_iter().map(|(month, change)| {
        let gone = change.left + change.bounced + change.complained + change.erased;
        let before = active;
        active = (active + change.joined).saturating_sub(gone);
        Growth {
            month,
            joined: change.joined,
            left: change.left,
            bounced: change.bounced,
            complained: change.complained,
            erased: change.erased,
            active_at_end: active,
            churn: rate(gone, before),
        }
    });
    told.collect()
}

fn came_back(issue: &IssueSummary) -> CameBack {
    let of = |state: State| issue.counts.get(&state).copied().unwrap_or(0);
    let reported = |kind: ReportKind| issue.reports.get(&kind).copied().unwrap_or(0);
    let sent = of(State::Sent);
    let refused = of(State::Rejected);
    let bounced = refused + reported(ReportKind::HardBounce) + reported(ReportKind::SoftBounce);
    let complained = reported(ReportKind::Complaint);
    CameBack {
        issue: format!("{}/{}", issue.digest, issue.number),
        sent,
        bounced,
        bounce_rate: rate(bounced, sent + refused),
        complained,
        complaint_rate: rate(complained, sent),
    }
}

/// A part of a whole; none where there is no whole.
#[allow(
    clippy::cast_precision_loss,
    reason = "no list has as many readers as a float has digits"
)]
fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.2} %", rate * 100.0))
}

fn text(told: &Told) -> String {
    let words = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
    let readers: Vec<String> = told
        .readers
        .iter()
        .map(|(status, number)| format!("{number} {status}"))
        .collect();
    let head = [
        "month",
        "joined",
        "left",
        "bounced",
        "complained",
        "erased",
        "active",
        "churn",
    ];
    let mut months: Vec<Vec<String>> = vec![words(&head)];
    months.extend(told.months.iter().map(|month| {
        let numbers = [
            month.joined,
            month.left,
            month.bounced,
            month.complained,
            month.erased,
            month.active_at_end,
        ];
        let mut row = vec![month.month.clone()];
        row.extend(numbers.map(|number| number.to_string()));
        row.push(percent(month.churn));
        row
    }));
    let mut issues: Vec<Vec<String>> = vec![words(&[
        "issue",
        "sent",
        "bounced",
        "rate",
        "complained",
        "rate",
    ])];
    issues.extend(told.issues.iter().map(|issue| {
        vec![
            issue.issue.clone(),
            issue.sent.to_string(),
            issue.bounced.to_string(),
            percent(issue.bounce_rate),
            issue.complained.to_string(),
            percent(issue.complaint_rate),
        ]
    }));
    let mut parts = vec![readers.join(", ")];
    if told.months.is_empty() {
        parts.push("nobody has joined yet".to_owned());
    } else {
        parts.push(workspace::table(&months));
    }
    if !told.issues.is_empty() {
        parts.push(workspace::table(&issues));
    }
    parts.join("\n\n").trim_end().to_owned()
}
