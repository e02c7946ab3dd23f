//! `plan`: what would go out next, when, to how many, and why each article is
//! in or out.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset};
use clap::Args;
use serde::Serialize;

use super::{
    Context, deliver,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    content::Loaded,
    domain::{
        digest::Digest,
        issue::{Choice, Considered, History, IssuePlan, Past},
        schedule::{Due, Slot},
    },
};

/// Show what would go out next, when, to how many, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress plan
  letterpress plan weekly --count 4
  letterpress --at 2026-12-04T07:00:00+02:00 plan     as if it were that moment

Writes and sends nothing.")]
pub struct Plan {
    /// Only this digest
    digest: Option<String>,
    /// How many issues to look ahead
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
}

#[derive(Serialize)]
struct DigestPlan {
    digest: String,
    title: String,
    schedule: String,
    timezone: String,
    readers: u64,
    missed: Vec<String>,
    issues: Vec<PlannedIssue>,
}

#[derive(Serialize)]
struct PlannedIssue {
    number: u32,
    slot: String,
    at: DateTime<FixedOffset>,
    is_due: bool,
    /// Other due slots that this issue makes up for.
    catches_up: Vec<String>,
    will_be_sent: bool,
    reason: Option<String>,
    subject: Option<String>,
    articles: usize,
    considered: Vec<Considered>,
}

/// # Errors
/// When settings, articles or the ledger cannot be read.
pub async fn run(context: &Context, args: &Plan) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let digests = deliver::chosen(&config, args.digest.as_deref())?;
    let remembered = match workspace::existing_ledger(context, &config).await? {
        Some(store) => store.remembered().await.map_err(workspace::store_failure)?,
        None => Vec::new(),
    };
    let loaded = workspace::articles(context, &config, &remembered)?;
    let mut plans = Vec::new();
    for digest in digests {
        plans.push(look_ahead(context, &config, &loaded, digest, args.count).await?);
    }
    context
        .talk
        .data(&plans, || plans.iter().map(text).collect())?;
    let errors = loaded.problems.iter().filter(|p| p.is_error()).count();
    if errors > 0 {
        context.talk.must_say(format!(
            "{} in the articles: nothing goes out before `letterpress check` is clean",
            count(errors, "error")
        ));
        return Ok(Exit::Data);
    }
    Ok(Exit::Done)
}

async fn look_ahead(
    context: &Context,
    config: &Config,
    loaded: &Loaded,
    digest: &Digest,
    count: usize,
) -> Result<DigestPlan, Failure> {
    let now = context.clock.start();
    let known = workspace::known(context, config, digest).await?;
    let (mut history, readers) = (known.history, known.readers);
    let due = digest.schedule.due(history.cursor, now, digest.max_late);
    let mut slots: Vec<Slot> = due.slot.into_iter().collect();
    slots.extend(digest.schedule.upcoming(now, count));
    slots.truncate(count.max(1));
    let mut issues = Vec::new();
    for slot in slots {
        let plan = IssuePlan::make(digest, &loaded.collection, &history, Some(slot), now);
        issues.push(planned(config, loaded, digest, &plan, slot, &due));
        if plan.is_enough(digest) {
            carry(&mut history, &plan);
        }
    }
    Ok(DigestPlan {
        digest: digest.name.to_string(),
        title: digest.title.clone(),
        schedule: digest.schedule.expression().to_owned(),
        timezone: digest.schedule.zone().to_string(),
        readers,
        missed: due.missed.iter().map(ToString::to_string).collect(),
        issues,
    })
}

fn planned(
    config: &Config,
    loaded: &Loaded,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    slot: Slot,
    due: &Due,
) -> PlannedIssue {
    let is_due = due.slot == Some(slot);
    let reason = (!plan.is_enough(digest)).then(|| {
        format!(
            "{} to carry, `min_articles` is {}",
            count(plan.articles.len(), "article"),
            digest.min_articles
        )
    });
    PlannedIssue {
        number: plan.number,
        slot: slot.to_string(),
        at: digest
            .schedule
            .instant(slot)
            .with_timezone(&digest.schedule.zone())
            .fixed_offset(),
        is_due,
        catches_up: if is_due {
            due.caught_up.iter().map(ToString::to_string).collect()
        } else {
            Vec::new()
        },
        will_be_sent: reason.is_none(),
        subject: deliver::subject(config, loaded, digest, plan),
        reason,
        articles: plan.articles.len(),
        considered: plan.considered.clone(),
    }
}

/// The ledger as it would be after this issue.
fn carry(history: &mut History, plan: &IssuePlan<'_>) {
    history.last_number = plan.number;
    let carried = plan
        .articles
        .iter()
        .map(|article| (article.id.clone(), Past::Carried(plan.number)));
    let passed = plan
        .passed_over
        .iter()
        .map(|id| (id.clone(), Past::PassedOver));
    history.articles.extend(carried.chain(passed));
}

fn text(plan: &DigestPlan) -> String {
    let mut text = format!(
        "{} ({}): {} {}, to {}\n",
        plan.title,
        plan.digest,
        plan.schedule,
        plan.timezone,
        count(
            usize::try_from(plan.readers).unwrap_or(usize::MAX),
            "reader"
        ),
    );
    for slot in &plan.missed {
        let _ = writeln!(text, "  missed: {slot} passed too long ago and is skipped");
    }
    for issue in &plan.issues {
        let when = if issue.is_due {
            "due now, slot"
        } else {
            "next at"
        };
        let _ = writeln!(
            text,
            "\n  issue {}, {when} {} ({})",
            issue.number,
            issue.slot,
            issue.at.format("%a %d %b %Y %H:%M %Z")
        );
        for slot in &issue.catches_up {
            let _ = writeln!(text, "    makes up for {slot}");
        }
        match (&issue.reason, &issue.subject) {
            (Some(reason), _) => {
                let _ = writeln!(text, "    would be skipped: {reason}");
            }
            (None, Some(subject)) => {
                let _ = writeln!(text, "    subject: {subject}");
            }
            (None, None) => {}
        }
        articles(&mut text, issue);
    }
    text.push('\n');
    text
}

fn articles(text: &mut String, issue: &PlannedIssue) {
    let (taken, left): (Vec<_>, Vec<_>) = issue
        .considered
        .iter()
        .partition(|article| article.choice == Choice::In);
    for article in taken {
        let _ = writeln!(text, "    in   {}", article.title);
    }
    for article in left {
        let _ = writeln!(
            text,
            "    out  {} ({})",
            article.title,
            article.choice.reason()
        );
    }
}
