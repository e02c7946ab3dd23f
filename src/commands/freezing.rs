//! From a digest to a frozen issue: what `run`, `send`, `plan` and `render`
//! share. Planned, rendered, and written into the ledger in one transaction.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use serde::Serialize;

use super::{
    Context, editions,
    exit::{Exit, Failure},
    illustrations::Illustrations,
    linting::Linting,
    talk::count,
    workspace,
};
use crate::{
    config::{
        self, Config,
        settings::{MailSettings, TextLinks},
    },
    content::{LinkStyle, Loaded, Renderer},
    domain::{
        article::{Article, Body},
        digest::{Digest, Shown},
        issue::{IssuePlan, Occasion},
        problem::Problem,
        schedule::Due,
        text::cut,
    },
    links::Signer,
    mail::{self, Inventory, IssueInput, Pictures, RenderError, Rendered, dkim::Keys},
    store::{Freeze, FreezeOutcome, Frozen, FrozenArticle, Store},
    templates::Templates,
};

/// From so many bytes of a message on people are told: of a limit of 10 MB,
/// which many mailboxes have, half.
const LARGE_MESSAGE: usize = 5_000_000;

/// The digests a command is about.
///
/// # Errors
/// When the name is none of them, or there are none.
pub fn chosen<'c>(config: &'c Config, name: Option<&str>) -> Result<Vec<&'c Digest>, Failure> {
    let Some(name) = name else {
        return Ok(config.digests.iter().collect());
    };
    match config.digest(name) {
        Some(digest) => Ok(vec![digest]),
        None => {
            let names: Vec<&str> = config.digests.iter().map(|d| d.name.as_str()).collect();
            Err(
                Failure::new(Exit::Usage, format!("there is no digest `{name}`")).hint(match names
                    .as_slice()
                {
                    [] => "letterpress.toml has no [[digest]]".to_owned(),
                    names => format!("letterpress.toml has: {}", names.join(", ")),
                }),
            )
        }
    }
}

/// `[mail]`, with its password.
///
/// # Errors
/// When there is no `[mail]`, or no password where the relay wants one.
pub fn mail_settings(config: &Config) -> Result<MailSettings, Failure> {
    let mut settings = without_password(config)?.clone();
    settings
        .read_password()
        .map_err(|error| Failure::of(Exit::Config, &error))?;
    Ok(settings)
}

/// The keys of `[mail.dkim]`, if messages are to be signed.
///
/// # Errors
/// When a key cannot be read or is too weak: exit 78, before anything is sent.
pub fn signing_keys(config: &Config) -> Result<Option<Keys>, Failure> {
    let settings = config.mail.as_ref().and_then(|mail| mail.dkim.as_ref());
    settings.map(Keys::load).transpose().map_err(|error| {
        Failure::of(Exit::Config, &error)
            .hint("see [mail.dkim] in letterpress.toml; unsigned mail does not go out by surprise")
    })
}

/// `[mail]`, for rendering.
///
/// # Errors
/// When there is none.
pub fn without_password(config: &Config) -> Result<&MailSettings, Failure> {
    config.mail.as_ref().ok_or_else(|| {
        Failure::new(Exit::Config, "letterpress.toml has no [mail]")
            .hint("add `from = \"Name <news@…>\"` and `relay = \"folder:outbox\"`")
    })
}

/// Why an issue is too thin to go out.
#[must_use]
pub fn too_few(plan: &IssuePlan<'_>, digest: &Digest) -> String {
    match (plan.articles.len(), digest.min_articles) {
        (0, _) => "no new article".to_owned(),
        (number, least) => format!(
            "{} only, `min_articles` is {least}",
            count(number, "new article")
        ),
    }
}

/// The subject an issue would have; `None` when its template fails (the
/// rendering says why).
#[must_use]
pub fn subject(
    config: &Config,
    loaded: &Loaded,
    templates: &Templates,
    digest: &Digest,
    plan: &IssuePlan<'_>,
) -> Option<String> {
    // Bodies are not needed for a subject, and rendering them takes time.
    let articles = plan
        .articles
        .iter()
        .map(|article| (*article, Arc::default()))
        .collect();
    let pictures = Pictures::default();
    let input = issue_input(config, loaded, digest, plan, articles, &pictures);
    mail::subject_line(&input, templates, config.mail.as_ref()?).ok()
}

fn issue_input<'a>(
    config: &'a Config,
    loaded: &'a Loaded,
    digest: &'a Digest,
    plan: &IssuePlan<'_>,
    articles: Vec<(&'a Article, Arc<Body>)>,
    pictures: &'a Pictures,
) -> IssueInput<'a> {
    IssueInput {
        publication: &config.publication,
        digest,
        sections: loaded.collection.sections(),
        number: plan.number,
        articles,
        shown: Vec::new(),
        has_page: config.content.pages,
        pictures,
        date: plan
            .cutoff
            .with_timezone(&config.publication.timezone)
            .fixed_offset(),
    }
}

/// Renders an issue, to be signed with `keys`, and names its pictures; nothing
/// is kept.
///
/// # Errors
/// When a template fails: exit 65 with file and line. When a picture cannot be
/// copied: exit 65 with its file.
pub fn render(
    config: &Config,
    loaded: &Loaded,
    templates: &Templates,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    signer: &Signer,
    keys: Option<&Keys>,
) -> Result<(Rendered, Illustrations), Failure> {
    let articles = with_bodies(config, loaded, plan)?;
    let illustrations = Illustrations::of(config, loaded, &articles)?;
    let settings = without_password(config)?;
    let render = |pictures: &Pictures| {
        let input = issue_input(config, loaded, digest, plan, articles.clone(), pictures);
        mail::render(&input, templates, settings, signer, keys)
            .map_err(|error| Failure::of(exit_of(&error), &error))
    };
    let mut rendered = render(&illustrations.pictures)?;
    // Only a letter that is made tells which pictures have to travel in it.
    if let Some(pictures) = illustrations.embedded(&rendered.html)? {
        rendered = render(&pictures)?;
    }
    Ok((rendered, illustrations))
}

/// What the lint says of a rendered issue.
#[must_use]
pub fn linted(
    config: &Config,
    loaded: &Loaded,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    rendered: &Rendered,
) -> Vec<Problem> {
    let sources = plan.articles.iter();
    let linting = Linting {
        config,
        loaded,
        digest,
        sources: sources.map(|article| article.source.as_path()).collect(),
    };
    linting.problems(rendered)
}

/// Which articles a rendered issue shows shorter than its digest says, if any.
#[must_use]
pub fn shortened(rendered: &Rendered) -> Option<Problem> {
    let titles = |to: Shown| {
        let articles = rendered.shortened.iter();
        let titles = articles.filter(move |article| article.shown == to);
        titles.map(|article| format!("“{}”", cut(&article.title, 60)))
    };
    let [by_summary, by_title] =
        [Shown::Summary, Shown::Title].map(|to| titles(to).collect::<Vec<_>>().join(", "));
    let how = match (by_summary.as_str(), by_title.as_str()) {
        ("", "") => return None,
        (summaries, "") => format!("the summaries of {summaries}"),
        ("", headlines) => format!("the headlines of {headlines}"),
        (summaries, headlines) => {
            format!("the summaries of {summaries} and the headlines of {headlines}")
        }
    };
    Some(Problem::warning(
        config::FILE_NAME,
        None,
        format!("`mail.size_budget` is used up: the letter has room only for {how}"),
        "shorten what stands above them, or carry fewer with `max_articles`",
    ))
}

/// What a failed rendering means for the exit code.
#[must_use]
pub fn exit_of(error: &RenderError) -> Exit {
    match error {
        RenderError::NoPage { .. } => Exit::Config,
        _ => Exit::Data,
    }
}

/// Everything that the templates of an issue can see.
///
/// # Errors
/// When its subject does not work out: exit 65.
pub fn inventory(
    config: &Config,
    loaded: &Loaded,
    templates: &Templates,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    signer: &Signer,
) -> Result<Inventory, Failure> {
    let articles = with_bodies(config, loaded, plan)?;
    let illustrations = Illustrations::of(config, loaded, &articles)?;
    let pictures = &illustrations.pictures;
    let input = issue_input(config, loaded, digest, plan, articles, pictures);
    mail::inventory(&input, templates, without_password(config)?, signer)
        .map_err(|error| Failure::of(exit_of(&error), &error))
}

/// The articles of an issue, rendered.
fn with_bodies<'a>(
    config: &Config,
    loaded: &'a Loaded,
    plan: &IssuePlan<'a>,
) -> Result<Vec<(&'a Article, Arc<Body>)>, Failure> {
    let links = match without_password(config)?.text_links {
        TextLinks::Numbered => LinkStyle::Numbered,
        TextLinks::Inline => LinkStyle::Inline,
    };
    let renderer = Renderer::new(Arc::clone(&loaded.site)).with_links(links);
    let bodies = renderer.render_all(plan.articles.iter().copied())?;
    let articles = plan.articles.iter();
    let articles = articles.filter_map(|a| Some((*a, Arc::clone(bodies.get(&a.id)?))));
    Ok(articles.collect())
}

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
    /// How long rendering them took.
    #[serde(skip)]
    pub rendering: Duration,
    /// Bytes of the largest message, but for what differs by reader.
    pub message_bytes: usize,
    /// What is not as the author meant it.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
    /// The ledger's numbers.
    #[serde(flatten)]
    pub frozen: Frozen,
}

/// What editions are made with.
#[derive(Clone, Copy)]
pub struct Made<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The articles.
    pub loaded: &'a Loaded,
    /// The templates.
    pub templates: &'a Templates,
    /// Signs links.
    pub signer: &'a Signer,
    /// Signs messages, where they are signed.
    pub keys: Option<&'a Keys>,
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
    let settings = without_password(config)?;
    let chosen = store.choices().await.map_err(workspace::store_failure)?;
    let (signer, keys) = (Signer::new(store.install_key()), signing_keys(config)?);
    let made = Made {
        config,
        loaded,
        templates,
        signer: &signer,
        keys: keys.as_ref(),
    };
    let editions = editions::render(&made, digest, plan, &chosen)?;
    // Readers may ask for a picture as soon as they have the letter.
    for (rendered, illustrations) in &editions.letters {
        illustrations.publish(config, &rendered.html)?;
    }
    let bodies: Vec<Vec<u8>> = editions
        .letters
        .iter()
        .map(|(rendered, _)| rendered.edition.to_bytes())
        .collect();
    let (edition_bytes, number) = (bodies.iter().map(Vec::len).sum(), bodies.len());
    let letters = || editions.letters.iter().map(|(rendered, _)| rendered);
    let message_bytes = letters().map(|letter| letter.edition.shared_bytes()).max();
    let subject = letters().next().map(|letter| letter.subject.clone());
    let subject = subject.unwrap_or_default();
    let articles: Vec<FrozenArticle> = plan
        .articles
        .iter()
        .map(|article| FrozenArticle {
            id: article.id.clone(),
            title: article.title.clone(),
        })
        .collect();
    let count = articles.len();
    let expire_after = TimeDelta::from_std(settings.expire_after)
        .map_err(|error| Failure::of(Exit::Config, &error))?;
    let freeze = Freeze {
        digest: digest.name.clone(),
        occasion,
        number: plan.number,
        title: digest.title.clone(),
        subject: subject.clone(),
        sender: settings.from.clone(),
        articles,
        passed_over: plan.passed_over.clone(),
        editions: bodies,
        shares: editions.shares,
        caught_up: due.caught_up,
        missed: due.missed,
        hold,
        idempotency_header: settings
            .idempotency
            .as_ref()
            .map(|known| known.header.clone()),
        expire_at: plan.cutoff + expire_after,
    };
    match store
        .freeze(freeze, plan.cutoff)
        .await
        .map_err(workspace::store_failure)?
    {
        FreezeOutcome::Frozen(frozen) => Ok(Some(FrozenIssue {
            issue: format!("{}/{}", digest.name, plan.number),
            subject,
            articles: count,
            editions: number,
            edition_bytes,
            rendering: editions.took,
            message_bytes: message_bytes.unwrap_or_default(),
            warnings: editions.warnings,
            frozen,
        })),
        FreezeOutcome::AlreadyFrozen { .. } | FreezeOutcome::Outdated { .. } => Ok(None),
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
        let took = match context.talk.is_verbose() {
            true => format!(", rendered in {} ms", issue.rendering.as_millis()),
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
