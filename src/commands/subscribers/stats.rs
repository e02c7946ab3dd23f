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
    store::{IssueSummary, Month, Store},
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

/// The figures.
#[derive(Serialize)]
pub(crate) struct Told {
    /// Readers by status.
    pub(crate) readers: BTreeMap<Status, u64>,
    /// The newest last.
    pub(crate) months: Vec<Growth>,
    /// The newest first.
    pub(crate) issues: Vec<CameBack>,
}

/// How the list changed in a month.
#[derive(Serialize)]
pub(crate) struct Growth {
    /// `2026-11`.
    pub(crate) month: String,
    /// Became active.
    pub(crate) joined: u64,
    /// Left of themselves.
    pub(crate) left: u64,
    /// Could not be reached.
    pub(crate) bounced: u64,
    /// Reported our mail as unwanted.
    pub(crate) complained: u64,
    /// Had themselves removed.
    pub(crate) erased: u64,
    /// Active when it ended.
    pub(crate) active_at_end: u64,
    /// Those who went, of those who were active when it began.
    pub(crate) churn: Option<f64>,
}

impl Growth {
    /// All who went, for whatever reason.
    #[must_use]
    pub(crate) fn gone(&self) -> u64 {
        self.left + self.bounced + self.complained + self.erased
    }

    /// A line of a table, in the order of the fields.
    pub(crate) fn row(&self) -> Vec<String> {
        let numbers = [
            self.joined,
            self.left,
            self.bounced,
            self.complained,
            self.erased,
            self.active_at_end,
        ];
        let mut row = vec![self.month.clone()];
        row.extend(numbers.map(|number| number.to_string()));
        row.push(percent(self.churn));
        row
    }
}

/// What came back of an issue, of what was sent.
#[derive(Serialize)]
pub(crate) struct CameBack {
    /// `digest/number`.
    pub(crate) issue: String,
    /// What a relay took.
    pub(crate) sent: u64,
    /// What did not arrive.
    pub(crate) bounced: u64,
    /// Of those to whom it was to be sent.
    pub(crate) bounce_rate: Option<f64>,
    /// Readers who reported it.
    pub(crate) complained: u64,
    /// Of those to whom it was sent.
    pub(crate) complaint_rate: Option<f64>,
}

impl CameBack {
    /// A line of a table, in the order of the fields.
    pub(crate) fn row(&self) -> Vec<String> {
        vec![
            self.issue.clone(),
            self.sent.to_string(),
            self.bounced.to_string(),
            percent(self.bounce_rate),
            self.complained.to_string(),
            percent(self.complaint_rate),
        ]
    }
}

pub(super) async fn run(context: &Context, config: &Config, args: &Stats) -> Result<Exit, Failure> {
    let store = workspace::needed_ledger(context, config).await?;
    let told = told(config, &store, (args.months, args.issues)).await?;
    context.talk.data(&told, || text(&told))?;
    Ok(Exit::Done)
}

/// The figures of so many of the newest months and issues.
///
/// # Errors
/// With the exit code of the ledger's trouble.
pub(crate) async fn told(
    config: &Config,
    store: &Store,
    (months, issues): (usize, usize),
) -> Result<Told, Failure> {
    let failed = workspace::store_failure;
    let zone = config.publication.timezone;
    let all = store.growth(zone).await.map_err(failed)?;
    let issues = store.issues(issues).await.map_err(failed)?;
    let mut growth = growth(all);
    Ok(Told {
        readers: store.counts_by_status().await.map_err(failed)?,
        months: growth.split_off(growth.len().saturating_sub(months)),
        issues: issues.iter().map(came_back).collect(),
    })
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

/// A rate for people.
#[must_use]
pub(crate) fn percent(rate: Option<f64>) -> String {
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
    months.extend(told.months.iter().map(Growth::row));
    let mut issues: Vec<Vec<String>> = vec![words(&[
        "issue",
        "sent",
        "bounced",
        "rate",
        "complained",
        "rate",
    ])];
    issues.extend(told.issues.iter().map(CameBack::row));
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
