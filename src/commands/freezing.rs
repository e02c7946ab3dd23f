//! From a digest to a frozen issue: what `run`, `send`, `plan` and `render`
//! share. The letter is made here; what writes it into the ledger is below.

mod frozen;

use std::sync::Arc;

pub use self::frozen::{Freezing, FrozenIssue, freeze, tell_frozen, tell_size};
use super::{
    exit::{Exit, Failure},
    illustrations::Illustrations,
    linting::{self, Linting},
    talk::count,
};
use crate::{
    config::{
        self, Config,
        settings::{MailSettings, TextLinks},
    },
    content::{LinkStyle, Loaded, Renderer, TextWords},
    domain::{
        article::{Article, ArticleId, Body},
        digest::{Digest, Shown},
        issue::IssuePlan,
        problem::Problem,
        text::cut,
    },
    links::Signer,
    mail::{self, Inventory, IssueInput, LeadRule, Pictures, RenderError, Rendered, dkim::Keys},
    templates::{Templates, Words},
};

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
        lead: match plan.is_whole {
            true => LeadRule::Kept,
            false => LeadRule::LastToGo,
        },
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
    let made = Made {
        config,
        loaded,
        templates,
        signer,
        keys,
    };
    let material = Material::of(&made, plan)?;
    let rendered = render_of(&made, digest, plan, &material)?;
    Ok((rendered, material.illustrations))
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
    pub fn of(made: &Made<'a>, plan: &IssuePlan<'a>) -> Result<Self, Failure> {
        let Made {
            config,
            loaded,
            templates,
            ..
        } = *made;
        let articles = with_bodies(config, loaded, templates, plan)?;
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
            .map_err(|error| failure(&error))
    };
    let rendered = render(&material.illustrations.pictures)?;
    // Only a letter that is made tells which pictures have to travel in it.
    match material.illustrations.embedded(&rendered.html)? {
        Some(pictures) => render(&pictures),
        None => Ok(rendered),
    }
}

fn text_words(words: Words<'_>) -> TextWords {
    TextWords {
        picture: words.say("picture-in-text", &[]),
        note: words.say("note-in-text", &[]),
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
        stem: linting::ISSUE,
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

fn failure(error: &RenderError) -> Failure {
    let failure = Failure::of(exit_of(error), error);
    match error {
        RenderError::Template(_) => failure.hint("docs/templates.md lists what a template can use"),
        _ => failure,
    }
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
    let articles = with_bodies(config, loaded, templates, plan)?;
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
    templates: &Templates,
    plan: &IssuePlan<'a>,
) -> Result<Vec<(&'a Article, Arc<Body>)>, Failure> {
    let links = match without_password(config)?.text_links {
        TextLinks::Numbered => LinkStyle::Numbered,
        TextLinks::Inline => LinkStyle::Inline,
    };
    let words = plan.articles.iter().map(|article| {
        let language = article.language.as_ref();
        let words = templates.words(language.unwrap_or(&config.publication.language));
        (article.language.clone(), text_words(words))
    });
    let renderer = Renderer::new(Arc::clone(&loaded.site))
        .with_links(links)
        .with_words(words.collect());
    let bodies = renderer.render_all(plan.articles.iter().copied())?;
    let articles = plan.articles.iter();
    let articles = articles.filter_map(|a| Some((*a, Arc::clone(bodies.get(&a.id)?))));
    Ok(articles.collect())
}
