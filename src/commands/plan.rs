//! `plan`: what would go out next, when, to how many, and why each article is
//! in or out.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, FixedOffset, Utc};
use clap::Args;
use serde::Serialize;

use super::{
    Context, editions,
    exit::{Exit, Failure},
    freezing::{self, Made},
    talk::count,
    workspace::{self, Known},
};
use crate::{
    config::Config,
    content::Loaded,
    domain::{
        article::Remembered,
        collection::Withheld,
        digest::{Digest, Shown},
        issue::{Choice, Considered, History, IssuePlan, Past},
        problem::Problem,
        schedule::{Due, Slot},
    },
    links::Signer,
    store::Chosen,
    templates::Templates,
};

/// Show what would go out next, when, to how many, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress plan
  letterpress plan weekly --count 4
  letterpress --at 2026-12-04T07:00:00+02:00 plan     as if it were that moment

An article is in when no earlier issue of the digest carried it. For an issue
that is not due yet, articles count that will be published by then. Of many
articles that are out for one reason, `-v` shows all. Writes and sends nothing.")]
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
    /// Whom it is for, by what they chose; the whole issue first.
    editions: Vec<PlannedEdition>,
    /// Readers who would get none of them, by reason.
    left_out: BTreeMap<&'static str, u64>,
    considered: Vec<Considered>,
    /// What the lint says of the letter; of the first issue only, because
    /// others are made of articles to come.
    findings: Vec<Problem>,
}

#[derive(Debug, Clone, Serialize)]
struct PlannedEdition {
    readers: u64,
    articles: usize,
    language: Option<String>,
    content: Option<&'static str>,
}

/// # Errors
/// When settings, articles or the ledger cannot be read.
pub async fn run(context: &Context, args: &Plan) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let digests = freezing::chosen(&config, args.digest.as_deref())?;
    let store = workspace::existing_ledger(context, &config).await?;
    let remembered = workspace::remembered(store.as_ref()).await?;
    let loaded = workspace::articles(context, &config, &remembered)?;
    let (templates, _) = workspace::templates(&config);
    let sources = Sources {
        config: &config,
        remembered: &remembered,
        loaded: &loaded,
        templates: &templates,
    };
    let mut plans = Vec::new();
    for digest in digests {
        let known = workspace::known(&config, store.as_ref(), digest).await?;
        plans.push(look_ahead(context, &sources, known, digest, args.count)?);
    }
    let most = if context.talk.is_verbose() {
        usize::MAX
    } else {
        MOST_OUT
    };
    context.talk.data(&plans, || {
        plans.iter().map(|plan| text(plan, most)).collect()
    })?;
    let errors = loaded.problems.iter().filter(|p| p.is_error()).count();
    if errors > 0 {
        context.talk.must_say(format!(
            "{} in the articles: nothing goes out before `letterpress check` is clean",
            count(errors, "error")
        ));
        return Ok(Exit::Data);
    }
    let mut issues = plans.iter().flat_map(|plan| &plan.issues);
    let is_refused = issues.any(|issue| issue.findings.iter().any(Problem::is_error));
    if is_refused {
        context.talk.must_say(
            "an issue with an error in its letter does not go out; docs/lint.md explains them",
        );
        return Ok(Exit::Data);
    }
    Ok(Exit::Done)
}

/// What every plan is made of.
struct Sources<'a> {
    config: &'a Config,
    /// Ids by source file.
    remembered: &'a [Remembered],
    /// The articles as they are now.
    loaded: &'a Loaded,
    templates: &'a Templates,
}

fn look_ahead(
    context: &Context,
    sources: &Sources<'_>,
    known: Known,
    digest: &Digest,
    count: usize,
) -> Result<DigestPlan, Failure> {
    let now = context.clock.start();
    let install_key = known.install_key;
    let (mut history, readers, chosen) = (known.history, known.readers, known.chosen);
    let due = digest.schedule.due(history.cursor, now, digest.max_late);
    let mut slots: Vec<Slot> = due.slot.into_iter().collect();
    slots.extend(digest.schedule.upcoming(now, count));
    slots.truncate(count.max(1));
    let mut issues = Vec::new();
    for slot in slots {
        // What is dated before the slot will be published when it comes.
        let cutoff = digest.schedule.instant(slot).max(now);
        let by_then;
        let Sources {
            config, remembered, ..
        } = *sources;
        let loaded = if has_future(sources.loaded, cutoff) {
            by_then = workspace::articles_at(context, config, remembered, cutoff)?;
            &by_then
        } else {
            sources.loaded
        };
        let sources = Sources { loaded, ..*sources };
        let plan = IssuePlan::make(digest, &loaded.collection, &history, Some(slot), cutoff);
        let mut issue = planned(&sources, digest, &plan, slot, &due);
        if issue.will_be_sent {
            (issue.editions, issue.left_out) = editions(&sources, digest, &plan, &chosen);
        }
        if issues.is_empty() && issue.will_be_sent {
            issue.findings = findings(&sources, digest, &plan, &install_key, &chosen);
        }
        issues.push(issue);
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

/// Whether something waits for its date and will be published by then.
fn has_future(loaded: &Loaded, by: DateTime<Utc>) -> bool {
    let held_back = loaded.collection.held_back();
    held_back
        .iter()
        .any(|held| matches!(held.reason, Withheld::Future(at) if at <= by))
}

fn planned(
    sources: &Sources<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    slot: Slot,
    due: &Due,
) -> PlannedIssue {
    let Sources {
        config,
        loaded,
        templates,
        ..
    } = *sources;
    let is_due = due.slot == Some(slot);
    let reason = (!plan.is_enough(digest)).then(|| freezing::too_few(plan, digest));
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
        subject: freezing::subject(config, loaded, templates, digest, plan),
        reason,
        articles: plan.articles.len(),
        editions: Vec::new(),
        left_out: BTreeMap::new(),
        considered: plan.considered.clone(),
        findings: Vec::new(),
    }
}

/// What the lint says of the letters as they would be, and what keeps them
/// from being made.
fn findings(
    sources: &Sources<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    install_key: &[u8; 32],
    chosen: &[Chosen],
) -> Vec<Problem> {
    let Sources {
        config,
        loaded,
        templates,
        ..
    } = *sources;
    if config.mail.is_none() {
        return Vec::new();
    }
    let signer = Signer::new(install_key);
    // `check` and `send` say what is wrong with the keys.
    let keys = freezing::signing_keys(config).ok().flatten();
    let made = Made {
        config,
        loaded,
        templates,
        signer: &signer,
        keys: keys.as_ref(),
    };
    editions::problems(&made, digest, plan, chosen)
}

/// The editions that readers' choices come to.
fn editions(
    sources: &Sources<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    chosen: &[Chosen],
) -> (Vec<PlannedEdition>, BTreeMap<&'static str, u64>) {
    let Sources {
        config,
        loaded,
        templates,
        ..
    } = *sources;
    let choices = chosen.iter().map(|chosen| &chosen.choice);
    let found = editions::variants(config, loaded, templates, digest, plan, choices);
    let mut editions: Vec<PlannedEdition> = found
        .variants
        .into_iter()
        .map(|variant| PlannedEdition {
            readers: 0,
            articles: variant.articles.len(),
            language: variant.language,
            content: variant.content.map(Shown::as_str),
        })
        .collect();
    let mut left_out = BTreeMap::new();
    for (chosen, variant) in chosen.iter().zip(found.of_choice) {
        match variant {
            Ok(at) => editions[at].readers += chosen.readers,
            Err(reason) => *left_out.entry(reason.as_str()).or_default() += chosen.readers,
        }
    }
    (editions, left_out)
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

/// Of more articles than this that are out for one reason, only the newest are
/// shown to people.
const MOST_OUT: usize = 5;

fn text(plan: &DigestPlan, most_out: usize) -> String {
    let mut text = format!(
        "{} (`{}`), schedule {} {}, to {}\n",
        plan.title,
        plan.digest,
        plan.schedule,
        plan.timezone,
        count(plan.readers, "reader"),
    );
    for slot in &plan.missed {
        let _ = writeln!(text, "  missed: {slot} passed too long ago and is skipped");
    }
    for issue in &plan.issues {
        let when = if issue.is_due {
            "due since"
        } else {
            "not before"
        };
        let at = issue.at.format("%A %-d %B %Y, %H:%M");
        let _ = writeln!(text, "\n  issue {}, {when} {at}", issue.number);
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
        audience(&mut text, issue);
        for finding in &issue.findings {
            let _ = writeln!(text, "    {finding}");
        }
        articles(&mut text, issue, most_out);
    }
    text.push('\n');
    text
}

/// Who gets what, where readers chose.
fn audience(text: &mut String, issue: &PlannedIssue) {
    if issue.editions.len() > 1 {
        for (number, edition) in (1..).zip(&issue.editions) {
            let articles = count(edition.articles, "article");
            let readers = count(edition.readers, "reader");
            let extras = [edition.language.as_deref(), edition.content];
            let extras: String = extras
                .iter()
                .flatten()
                .map(|extra| format!(", {extra}"))
                .collect();
            let _ = writeln!(
                text,
                "    edition {number}: {articles}{extras}, for {readers}"
            );
        }
    }
    for (reason, readers) in &issue.left_out {
        let _ = writeln!(text, "    not for {}: {reason}", count(*readers, "reader"));
    }
}

fn articles(text: &mut String, issue: &PlannedIssue, most_out: usize) {
    let (taken, left): (Vec<_>, Vec<_>) = issue
        .considered
        .iter()
        .partition(|article| article.choice == Choice::In);
    for article in taken {
        let _ = writeln!(text, "    in   {}", article.title);
    }
    // Articles come newest first, so reasons do as well.
    let mut reasons: Vec<(String, Vec<&Considered>)> = Vec::new();
    for article in left {
        let reason = article.choice.reason();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, articles)) => articles.push(article),
            None => reasons.push((reason, vec![article])),
        }
    }
    for (reason, articles) in reasons {
        for article in articles.iter().take(most_out) {
            let _ = writeln!(text, "    out  {} ({reason})", article.title);
        }
        if articles.len() > most_out {
            let rest = count(articles.len() - most_out, "more article");
            let _ = writeln!(text, "    out  … and {rest} ({reason}); `-v` shows them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(considered: Vec<Considered>) -> PlannedIssue {
        PlannedIssue {
            number: 2,
            slot: "2026-12-04T07:00".to_owned(),
            at: "2026-12-04T07:00:00+02:00".parse().unwrap(),
            is_due: false,
            catches_up: Vec::new(),
            will_be_sent: true,
            reason: None,
            subject: Some("Soup".to_owned()),
            articles: 1,
            editions: Vec::new(),
            left_out: BTreeMap::new(),
            considered,
            findings: Vec::new(),
        }
    }

    fn considered(title: String, choice: Choice) -> Considered {
        Considered {
            id: None,
            title,
            choice,
        }
    }

    #[test]
    fn many_articles_that_are_out_for_one_reason_are_counted() {
        let mut all = vec![
            considered("Soup".to_owned(), Choice::In),
            considered("Plums".to_owned(), Choice::Draft),
        ];
        let old = |n| considered(format!("Old {n}"), Choice::Carried { issue: 1 });
        all.extend((1..=8).map(old));
        let plan = DigestPlan {
            digest: "weekly".to_owned(),
            title: "The Weekly".to_owned(),
            schedule: "0 7 * * FRI".to_owned(),
            timezone: "Africa/Johannesburg".to_owned(),
            readers: 1,
            missed: Vec::new(),
            issues: vec![issue(all)],
        };
        let short = text(&plan, MOST_OUT);
        assert_eq!(
            short,
            "The Weekly (`weekly`), schedule 0 7 * * FRI Africa/Johannesburg, to 1 reader\n\n  \
             issue 2, not before Friday 4 December 2026, 07:00\n    \
             subject: Soup\n    \
             in   Soup\n    \
             out  Plums (draft)\n    \
             out  Old 1 (already in issue 1)\n    \
             out  Old 2 (already in issue 1)\n    \
             out  Old 3 (already in issue 1)\n    \
             out  Old 4 (already in issue 1)\n    \
             out  Old 5 (already in issue 1)\n    \
             out  … and 3 more articles (already in issue 1); `-v` shows them\n\n"
        );
        assert!(text(&plan, usize::MAX).contains("Old 8"));
    }
}
