//! From a digest to a frozen issue: what `run`, `send`, `plan` and `render`
//! share. Planned, rendered, and written into the ledger in one transaction.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use serde::Serialize;

use super::{
    Context,
    editions::{self, Editions},
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
        article::{Article, ArticleId, Body},
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
    let material = Material::of(config, loaded, plan)?;
    let made = Made {
        config,
        loaded,
        templates,
        signer,
        keys,
    };
    let rendered = render_of(&made, digest, plan, &material)?;
    Ok((rendered, material.illustrations))
}

/// The articles of an issue in full, and their pictures: read once, however
/// many editions are made of them.
pub struct Material<'a> {
    articles: Vec<(&'a Article, Arc<Body>)>,
    /// The pictures.
    pub illustrations: Illustrations,
}

impl<'a> Material<'a> {
    /// Renders the articles, and looks at their pictures.
    ///
    /// # Errors
    /// When an article is not what it was, or a picture cannot be copied.
    pub fn of(config: &Config, loaded: &'a Loaded, plan: &IssuePlan<'a>) -> Result<Self, Failure> {
        let articles = with_bodies(config, loaded, plan)?;
        let illustrations = Illustrations::of(config, loaded, &articles)?;
        Ok(Self {
            articles,
            illustrations,
        })
    }

    /// The articles that a plan carries.
    fn carried(&self, plan: &IssuePlan<'_>) -> Vec<(&'a Article, Arc<Body>)> {
        let find = |id: &ArticleId| self.articles.iter().find(|(a, _)| a.id == *id);
        let carried = plan.articles.iter();
        carried.filter_map(|a| find(&a.id)).cloned().collect()
    }
}

/// Renders an issue of articles that are all in the material.
///
/// # Errors
/// As [`render`].
pub fn render_of(
    made: &Made<'_>,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    material: &Material<'_>,
) -> Result<Rendered, Failure> {
    let settings = without_password(made.config)?;
    let articles = material.carried(plan);
    let render = |pictures: &Pictures| {
        let articles = articles.clone();
        let input = issue_input(made.config, made.loaded, digest, plan, articles, pictures);
        mail::render(&input, made.templates, settings, made.signer, made.keys)
            .map_err(|error| Failure::of(exit_of(&error), &error))
    };
    let rendered = render(&material.illustrations.pictures)?;
    // Only a letter that is made tells which pictures have to travel in it.
    match material.illustrations.embedded(&rendered.html)? {
        Some(pictures) => render(&pictures),
        None => Ok(rendered),
    }
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
    let material = Material::of(config, loaded, plan)?;
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
        rendering: editions.took,
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
            true => format!(", rendered{again} in {} ms", issue.rendering.as_millis()),
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
