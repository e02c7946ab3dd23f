//! The freeze: a planned issue rendered in all its editions and written into
//! the ledger in one transaction.

use chrono::TimeDelta;
use serde::Serialize;

use super::{Made, Material, signing_keys, without_password};
use crate::{
    commands::{
        Context,
        editions::{self, Editions},
        exit::{Exit, Failure},
        talk::count,
        workspace,
    },
    config::Config,
    content::Loaded,
    domain::{
        digest::Digest,
        issue::{IssuePlan, Occasion},
        problem::Problem,
        schedule::Due,
    },
    links::Signer,
    store::{Freeze, FreezeOutcome, Frozen, FrozenArticle, Store},
    templates::Templates,
};

/// From so many bytes of a message on people are told: of a limit of 10 MB,
/// which many mailboxes have, half.
const LARGE_MESSAGE: usize = 5_000_000;

/// An issue that was frozen just now.
#[derive(Debug, Serialize)]
pub struct FrozenIssue {
    /// `digest/number`.
    pub issue: String,
    /// The subject line.
    pub subject: String,
    /// How many articles it carries.
    pub articles: usize,
    /// How many editions its readers' choices come to, and the whole issue.
    pub editions: usize,
    /// Bytes that the ledger keeps of them.
    pub edition_bytes: usize,
    /// How long rendering them took, in milliseconds.
    pub rendering_ms: u64,
    /// How often they were rendered: again whenever somebody made a new choice
    /// meanwhile.
    #[serde(skip)]
    pub times: u32,
    /// Bytes of the largest message, but for what differs by reader.
    pub message_bytes: usize,
    /// What is not as the author meant it.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
    /// The ledger's numbers.
    #[serde(flatten)]
    pub frozen: Frozen,
}

/// What freezing an issue needs.
pub struct Freezing<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The ledger.
    pub store: &'a Store,
    /// The articles.
    pub loaded: &'a Loaded,
    /// The templates.
    pub templates: &'a Templates,
    /// Which digest.
    pub digest: &'a Digest,
}

/// An issue is rendered at most so many times because of choices that come in
/// meanwhile; they would have to come in faster than it can be rendered.
const MOST_TIMES: u32 = 10;

/// Renders a planned issue and freezes it for `occasion` in one transaction;
/// paused when there is a reason to `hold` it. `None` when another run froze
/// this occasion first.
///
/// # Errors
/// When it cannot be rendered or written, or the lint finds an error in it.
pub async fn freeze(
    freezing: &Freezing<'_>,
    plan: &IssuePlan<'_>,
    occasion: Occasion,
    due: Due,
    hold: Option<String>,
) -> Result<Option<FrozenIssue>, Failure> {
    let Freezing {
        config,
        store,
        loaded,
        templates,
        digest,
    } = *freezing;
    let (signer, keys) = (Signer::new(store.install_key()), signing_keys(config)?);
    let made = Made {
        config,
        loaded,
        templates,
        signer: &signer,
        keys: keys.as_ref(),
    };
    let material = Material::of(&made, plan)?;
    let mut freeze = planned(freezing, plan, (occasion, due, hold))?;
    for times in 1..=MOST_TIMES {
        let chosen = store.choices().await.map_err(workspace::store_failure)?;
        let editions = editions::render(&made, digest, plan, &material, &chosen)?;
        // Readers may ask for a picture as soon as they have the letter.
        for letter in &editions.letters {
            material.illustrations.publish(config, &letter.html)?;
        }
        let bodies = editions.letters.iter();
        freeze.editions = bodies.map(|letter| letter.edition.to_bytes()).collect();
        freeze.shares.clone_from(&editions.shares);
        if let Some(whole) = editions.letters.first() {
            freeze.subject.clone_from(&whole.subject);
        }
        let outcome = store.freeze(freeze.clone(), plan.cutoff).await;
        match outcome.map_err(workspace::store_failure)? {
            FreezeOutcome::Frozen(frozen) => {
                return Ok(Some(told(&freeze, editions, times, frozen)));
            }
            FreezeOutcome::AlreadyFrozen { .. } | FreezeOutcome::Outdated { .. } => {
                return Ok(None);
            }
            FreezeOutcome::NewChoice => {}
        }
    }
    let name = format!("{}/{}", digest.name, plan.number);
    Err(Failure::new(
        Exit::Temporary,
        format!("readers make new choices faster than issue {name} can be rendered"),
    )
    .hint("nothing was frozen; the next run makes it"))
}

/// What of a freeze does not depend on the readers.
fn planned(
    freezing: &Freezing<'_>,
    plan: &IssuePlan<'_>,
    (occasion, due, hold): (Occasion, Due, Option<String>),
) -> Result<Freeze, Failure> {
    let digest = freezing.digest;
    let settings = without_password(freezing.config)?;
    let expire_after = TimeDelta::from_std(settings.expire_after)
        .map_err(|error| Failure::of(Exit::Config, &error))?;
    let articles = plan.articles.iter();
    let idempotency = settings.idempotency.as_ref();
    Ok(Freeze {
        digest: digest.name.clone(),
        occasion,
        number: plan.number,
        title: digest.title.clone(),
        subject: String::new(),
        sender: settings.from.clone(),
        articles: articles
            .map(|article| FrozenArticle {
                id: article.id.clone(),
                title: article.title.clone(),
            })
            .collect(),
        passed_over: plan.passed_over.clone(),
        editions: Vec::new(),
        shares: Vec::new(),
        caught_up: due.caught_up,
        missed: due.missed,
        hold,
        idempotency_header: idempotency.map(|known| known.header.clone()),
        expire_at: plan.cutoff + expire_after,
    })
}

fn told(freeze: &Freeze, editions: Editions, times: u32, frozen: Frozen) -> FrozenIssue {
    let letters = editions.letters.iter();
    let message_bytes = letters.map(|letter| letter.edition.shared_bytes()).max();
    FrozenIssue {
        issue: format!("{}/{}", freeze.digest, freeze.number),
        subject: freeze.subject.clone(),
        articles: freeze.articles.len(),
        editions: freeze.editions.len(),
        edition_bytes: freeze.editions.iter().map(Vec::len).sum(),
        rendering_ms: u64::try_from(editions.took.as_millis()).unwrap_or(u64::MAX),
        times,
        message_bytes: message_bytes.unwrap_or_default(),
        warnings: editions.warnings,
        frozen,
    }
}

/// Says so when messages are so large that relays and readers mind.
pub fn tell_size(context: &Context, message_bytes: usize) {
    if message_bytes > LARGE_MESSAGE {
        context.talk.must_say(format!(
            "warning: each message has {:.1} MB, and many mailboxes take at most 10 MB; with \
             `mail.pictures = \"remote\"` pictures do not travel in it",
            megabytes(message_bytes)
        ));
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1_000_000.0
}

/// Says that an issue was frozen.
pub fn tell_frozen(context: &Context, issue: &FrozenIssue) {
    let mut left_out: Vec<String> = issue
        .frozen
        .exclusions
        .iter()
        .map(|(reason, number)| format!("{number} {reason}"))
        .collect();
    if !left_out.is_empty() {
        left_out.insert(0, String::new());
    }
    context.talk.say(format!(
        "issue {}: “{}” with {}, for {} of {} on the list{}",
        issue.issue,
        issue.subject,
        count(issue.articles, "article"),
        issue.frozen.queued,
        issue.frozen.candidates,
        left_out.join("; ")
    ));
    if issue.editions > 1 || context.talk.is_verbose() {
        let again = match issue.times {
            1 => String::new(),
            times => format!(", {times} times because of new choices, at last"),
        };
        let took = match context.talk.is_verbose() {
            true => format!(", rendered{again} in {} ms", issue.rendering_ms),
            false => String::new(),
        };
        context.talk.say(format!(
            "issue {}: {}, {} KB in the ledger{took}",
            issue.issue,
            count(issue.editions, "edition"),
            issue.edition_bytes.div_ceil(1000),
        ));
    }
    workspace::tell_problems(context, &issue.warnings);
    tell_size(context, issue.message_bytes);
}
