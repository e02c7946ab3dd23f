//! `issues`: what went out, what is going out, and the handles on it.

mod pruning;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    domain::{delivery::State, issue::IssueState, schedule::Slot},
    store::{
        ChangeOutcome, EditionSummary, IssueChange, IssueKey, IssueSummary, ReportCounts, Store,
    },
};

/// List, show, pause, resume, cancel or prune issues
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress issues list
  letterpress issues show weekly/3
  letterpress issues pause weekly/3 --reason \"wrong picture\"
  letterpress issues resume weekly/3
  letterpress issues cancel weekly/3
  letterpress issues prune --keep 12 --dry-run

An issue is named DIGEST/NUMBER; with a single digest the number is enough.
A cancelled issue gives its articles back to the next one.")]
pub struct Issues {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The newest issues and their counts
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One issue: articles, counts, exclusions
    Show {
        /// DIGEST/NUMBER
        issue: String,
    },
    /// Hold an issue: nothing more of it leaves
    Pause {
        /// DIGEST/NUMBER
        issue: String,
        /// Why, for those who look later
        #[arg(long, default_value = "paused by hand")]
        reason: String,
    },
    /// Let a paused issue go on with the next run
    Resume {
        /// DIGEST/NUMBER
        issue: String,
    },
    /// Call an issue off: what is queued never leaves
    Cancel {
        /// DIGEST/NUMBER
        issue: String,
    },
    /// Remove the deliveries of old issues; what they sum up to stays
    Prune(pruning::Prune),
}

#[derive(Serialize)]
struct Row<'a> {
    issue: String,
    occasion: String,
    state: &'static str,
    reason: Option<&'a str>,
    subject: &'a str,
    frozen: chrono::DateTime<chrono::FixedOffset>,
    expires: chrono::DateTime<chrono::FixedOffset>,
    candidates: u64,
    counts: std::collections::BTreeMap<&'static str, u64>,
    reports: &'a ReportCounts,
    exclusions: &'a std::collections::BTreeMap<String, u64>,
    articles: Vec<&'a str>,
}

/// One issue, with its editions.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    editions: Vec<EditionSummary>,
}

/// # Errors
/// When the ledger cannot be read, or the issue does not exist.
pub async fn run(context: &Context, args: &Issues) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    match &args.what {
        What::List { limit } => list(context, &config, *limit).await,
        What::Show { issue } => {
            let store = workspace::needed_ledger(context, &config).await?;
            let summary = find(&config, &store, issue).await?;
            let editions = store.editions(summary.id).await;
            let shown = Shown {
                row: row(&config, &summary),
                editions: editions.map_err(workspace::store_failure)?,
            };
            context.talk.data(&shown, || text(&shown))?;
            Ok(Exit::Done)
        }
        What::Pause { issue, reason } => {
            let reason = crate::domain::text::one_line(reason);
            change(
                context,
                &config,
                issue,
                IssueChange::Pause(reason),
                "paused",
            )
            .await
        }
        What::Resume { issue } => {
            change(context, &config, issue, IssueChange::Resume, "resumed").await
        }
        What::Cancel { issue } => {
            change(context, &config, issue, IssueChange::Cancel, "cancelled").await
        }
        What::Prune(args) => pruning::run(context, &config, args).await,
    }
}

async fn list(context: &Context, config: &Config, limit: usize) -> Result<Exit, Failure> {
    let summaries = match workspace::existing_ledger(context, config).await? {
        Some(store) => store
            .issues(limit)
            .await
            .map_err(workspace::store_failure)?,
        None => Vec::new(),
    };
    let rows: Vec<Row<'_>> = summaries.iter().map(|issue| row(config, issue)).collect();
    context.talk.data(&rows, || overview(&rows))?;
    if rows.is_empty() {
        context
            .talk
            .say("no issue yet; `letterpress plan` shows the next");
    }
    Ok(Exit::Done)
}

fn overview(rows: &[Row<'_>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "issue",
        "state",
        "sent",
        "open",
        "uncertain",
        "refused",
        "frozen",
        "subject",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let of = |state: State| row.counts.get(state.as_str()).copied().unwrap_or(0);
        let open: u64 = State::ALL.into_iter().filter(|s| s.is_open()).map(of).sum();
        table.push(vec![
            row.issue.clone(),
            row.state.to_owned(),
            of(State::Sent).to_string(),
            open.to_string(),
            of(State::Uncertain).to_string(),
            of(State::Rejected).to_string(),
            row.frozen.format("%Y-%m-%d %H:%M").to_string(),
            row.subject.to_owned(),
        ]);
    }
    workspace::table(&table)
}

fn row<'a>(config: &Config, issue: &'a IssueSummary) -> Row<'a> {
    let zone = config.publication.timezone;
    Row {
        issue: format!("{}/{}", issue.digest, issue.number),
        occasion: issue.occasion.to_string(),
        state: issue.state.as_str(),
        reason: issue.reason.as_deref(),
        subject: &issue.subject,
        frozen: issue.frozen.with_timezone(&zone).fixed_offset(),
        expires: issue.expire_at.with_timezone(&zone).fixed_offset(),
        candidates: issue.candidates,
        counts: issue
            .counts
            .iter()
            .map(|(state, number)| (state.as_str(), *number))
            .collect(),
        reports: &issue.reports,
        exclusions: &issue.exclusions,
        articles: issue.articles.iter().map(|a| a.title.as_str()).collect(),
    }
}

fn text(shown: &Shown<'_>) -> String {
    let row = &shown.row;
    let mut lines = vec![
        format!("issue {}: {}", row.issue, row.state),
        format!("made     {}", made_for(&row.occasion)),
        format!("subject  {}", row.subject),
        format!("frozen   {}", row.frozen.format("%Y-%m-%d %H:%M %:z")),
        format!("expires  {}", row.expires.format("%Y-%m-%d %H:%M %:z")),
    ];
    lines.extend(row.reason.map(|reason| format!("reason   {reason}")));
    lines.push(format!("on the list: {}", row.candidates));
    lines.extend(
        row.counts
            .iter()
            .map(|(state, number)| format!("  {number:>8} {state}")),
    );
    lines.extend(
        row.reports
            .iter()
            .map(|(kind, number)| format!("  {number:>8} came back: {}", kind.as_str())),
    );
    lines.extend(
        row.exclusions
            .iter()
            .map(|(reason, number)| format!("  {number:>8} left out: {reason}")),
    );
    lines.push(count(shown.editions.len(), "edition"));
    lines.extend(shown.editions.iter().map(|edition| {
        format!(
            "  {:>8} get edition {}, {} KB in the ledger",
            edition.readers,
            edition.number,
            edition.bytes.div_ceil(1000)
        )
    }));
    lines.push(count(row.articles.len(), "article"));
    lines.extend(row.articles.iter().map(|title| format!("  {title}")));
    lines.join("\n")
}

/// Why there is this issue, for people.
fn made_for(occasion: &str) -> String {
    if occasion.parse::<Slot>().is_ok() {
        format!("for the slot {occasion}")
    } else {
        "by hand, with `letterpress send`".to_owned()
    }
}

async fn change(
    context: &Context,
    config: &Config,
    name: &str,
    change: IssueChange,
    done: &str,
) -> Result<Exit, Failure> {
    let store = workspace::ledger(context, config).await?;
    let issue = find(config, &store, name).await?;
    if change == IssueChange::Resume && issue.state == IssueState::Sending {
        context.talk.say(format!(
            "issue {}/{} is not paused: the next `letterpress run` goes on with it",
            issue.digest, issue.number
        ));
        return Ok(Exit::Done);
    }
    let outcome = store
        .change_issue(issue.id, change.clone(), context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    let label = format!("{}/{}", issue.digest, issue.number);
    match outcome {
        ChangeOutcome::Changed {
            cancelled_deliveries,
        } => {
            let consequence = consequence(&issue, &change, cancelled_deliveries);
            context
                .talk
                .say(format!("issue {label} {done}{consequence}"));
            Ok(Exit::Done)
        }
        ChangeOutcome::Refused(state) => Err(Failure::new(
            Exit::Data,
            format!("issue {label} is {} and cannot be {done}", state.as_str()),
        )),
        ChangeOutcome::Unknown => Err(Failure::new(
            Exit::NoInput,
            format!("there is no issue {label}"),
        )),
    }
}

/// What a change means for those who have not got the issue yet.
fn consequence(issue: &IssueSummary, change: &IssueChange, cancelled: u64) -> String {
    let of = |state: State| issue.counts.get(&state).copied().unwrap_or(0);
    let mut text = match change {
        IssueChange::Pause(_) => format!(
            "; {} until `letterpress issues resume`",
            count(of(State::Queued), "delivery") + " held"
        ),
        IssueChange::Resume => format!(
            "; the next `letterpress run` goes on with {}",
            count(of(State::Queued), "delivery")
        ),
        IssueChange::Cancel => format!(
            "; {} cancelled; its articles are free for the next issue",
            count(cancelled, "queued delivery")
        ),
    };
    let under_way = of(State::Inflight);
    if under_way > 0 && !matches!(change, IssueChange::Resume) {
        text.push_str(&format!(
            "; {} under way will finish",
            count(under_way, "delivery")
        ));
    }
    text
}

/// The issue that `DIGEST/NUMBER`, or a bare number, names.
///
/// # Errors
/// When it names none.
pub async fn find(config: &Config, store: &Store, name: &str) -> Result<IssueSummary, Failure> {
    let wrong = || {
        Failure::new(Exit::Usage, format!("`{name}` names no issue"))
            .hint("write DIGEST/NUMBER, such as `weekly/3`; `letterpress issues list` has them")
    };
    let (digest, number) = match (name.split_once('/'), config.digests.as_slice()) {
        (Some((digest, number)), _) => (digest.to_owned(), number),
        (None, [only]) => (only.name.to_string(), name),
        (None, _) => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    store
        .issue(IssueKey::Number { digest, number })
        .await
        .map_err(workspace::store_failure)?
        .ok_or_else(|| {
            Failure::new(Exit::NoInput, format!("there is no issue {name}"))
                .hint("`letterpress issues list` has them")
        })
}
