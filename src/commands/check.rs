//! `check`: loads everything, reports every problem, sends and writes nothing.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::{
    Context, editions,
    exit::{Exit, Failure},
    freezing::{self, Made},
    illustrations,
    linting::{self, Linting},
    notices::Drawing,
    talk::{Format, count},
    workspace::{self, Known},
};
use crate::{
    config::{Config, FILE_NAME},
    content::Loaded,
    domain::{digest::Digest, issue::IssuePlan, problem::Problem},
    links::Signer,
    mail::{
        self, Notice,
        dkim::{Key, Keys},
    },
    pages,
    store::Store,
    templates::Templates,
    web,
};

/// Load everything and report every problem; write and send nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress check
  letterpress check --strict            warnings count as errors, for CI
  letterpress check --format json       one JSON document

Every line is `file:line: level: what; remedy`. The next issue of each digest is made
and looked at as well: docs/lint.md lists the rules, and `[rule]` names the one.
Exit codes: 0 no error; 65 an error in articles or templates; 66 no letterpress.toml;
69 the ledger is held, or its server is away; 74 it cannot be read; 78 an error in
letterpress.toml.")]
pub struct Check {
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
}

#[derive(Serialize)]
struct Findings<'a> {
    articles: usize,
    held_back: usize,
    errors: usize,
    warnings: usize,
    problems: &'a [Problem],
}

/// # Errors
/// When a problem stands, or something could not be read at all.
pub async fn run(context: &Context, args: &Check) -> Result<Exit, Failure> {
    // 1. The configuration; without one there is nothing to check by.
    let (config, mut problems) = workspace::configuration(context)?;
    // 2. The ledger only for remembered ids; it is not made.
    let store = workspace::existing_ledger(context, &config).await?;
    let remembered = workspace::remembered(store.as_ref()).await?;
    // 3. Articles and templates.
    let loaded = workspace::articles(context, &config, &remembered)?;
    let (templates, template_problems) = workspace::templates(&config);
    problems.extend(loaded.problems.iter().cloned());
    problems.extend(template_problems);
    if config.content.pages {
        problems.extend(pages::check_templates(
            &config.publication,
            &loaded.collection,
            &templates,
        ));
    }
    problems.extend(web::check_templates(&config.publication, &templates));
    problems.extend(mail_problems(&config, &templates));
    problems.extend(picture_problems(context, &config, store.as_ref(), &loaded).await?);
    // 4. The keys, while there is time to mend them.
    let unsigned = keys_problem(&config);
    let is_config_bad = unsigned.is_some();
    problems.extend(unsigned);
    // 5. The next issue of each digest, as its readers would get it.
    for digest in &config.digests {
        let known = workspace::known(&config, store.as_ref(), digest).await?;
        let sources = Sources {
            config: &config,
            loaded: &loaded,
            templates: &templates,
        };
        let found = letter_problems(&sources, digest, &known, context.clock.start());
        let is_new = |one: &Problem| !problems.iter().any(|known| says_the_same(known, one));
        let new: Vec<Problem> = found.into_iter().filter(is_new).collect();
        problems.extend(new);
    }
    let sources = Sources {
        config: &config,
        loaded: &loaded,
        templates: &templates,
    };
    let found = notice_problems(&sources, context.clock.start());
    let is_new = |one: &Problem| !problems.iter().any(|known| says_the_same(known, one));
    let new: Vec<Problem> = found.into_iter().filter(is_new).collect();
    problems.extend(new);
    // 6. The report.
    let errors = problems.iter().filter(|p| p.is_error()).count();
    let warnings = problems.len() - errors;
    let found = Findings {
        articles: loaded.collection.articles().len(),
        held_back: loaded.collection.held_back().len(),
        errors,
        warnings,
        problems: &problems,
    };
    context.talk.data(&found, || {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    let summary = format!(
        "{}, {} held back: {}, {}",
        count(found.articles, "article"),
        found.held_back,
        count(errors, "error"),
        count(warnings, "warning")
    );
    if context.talk.format == Format::Human {
        context.talk.say(summary);
    }
    let is_bad = errors > 0 || (args.strict && warnings > 0);
    Ok(match (is_config_bad, is_bad) {
        (true, _) => Exit::Config,
        (false, true) => Exit::Data,
        (false, false) => Exit::Done,
    })
}

/// What is wrong with the pictures that the next letters would show.
async fn picture_problems(
    context: &Context,
    config: &Config,
    store: Option<&Store>,
    loaded: &Loaded,
) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    if config.mail.is_some() {
        let now = context.clock.start();
        for digest in &config.digests {
            problems.extend(illustrations::findings(config, store, loaded, digest, now).await?);
        }
    }
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// What is wrong with the templates of letters and notices.
pub(super) fn mail_problems(config: &Config, templates: &Templates) -> Vec<Problem> {
    let Some(settings) = &config.mail else {
        return Vec::new();
    };
    let publication = &config.publication;
    let known = |digest: &&Digest| templates.has_kind(&digest.template);
    let letters = config.digests.iter().filter(known);
    let letters =
        letters.flat_map(|digest| mail::check_templates(publication, digest, templates, settings));
    let notices = config.digests.first();
    let notices = notices
        .map(|digest| mail::check_notices(publication, digest, templates, settings))
        .unwrap_or_default();
    let foreign = unknown_language(&publication.language, templates);
    letters.chain(notices).chain(foreign).collect()
}

/// A language whose fixed words nobody wrote.
fn unknown_language(language: &str, templates: &Templates) -> Option<Problem> {
    if templates.words(language).is_known() {
        return None;
    }
    let primary = language.split('-').next().unwrap_or(language);
    Some(Problem::warning(
        FILE_NAME,
        None,
        format!("there is no catalogue of words in `{language}`: letters say them in English"),
        format!("write templates/words/{}.ftl", primary.to_lowercase()),
    ))
}

/// What letters are made of.
pub(super) struct Sources<'a> {
    pub(super) config: &'a Config,
    pub(super) loaded: &'a Loaded,
    pub(super) templates: &'a Templates,
}

/// What the lint says of the issue of a digest that would go out now, in all
/// its editions; of one with made-up articles where nothing is new.
pub(super) fn letter_problems(
    sources: &Sources<'_>,
    digest: &Digest,
    known: &Known,
    now: DateTime<Utc>,
) -> Vec<Problem> {
    let Sources {
        config,
        loaded,
        templates,
    } = *sources;
    if config.mail.is_none() || !templates.has_kind(&digest.template) {
        return Vec::new();
    }
    let cursor = known.history.cursor;
    let due = digest.schedule.due(cursor, now, digest.max_late);
    let plan = IssuePlan::make(digest, &loaded.collection, &known.history, due.slot, now);
    if plan.articles.is_empty() {
        return linting::made_up(config, loaded, templates, digest);
    }
    let signer = Signer::new(&known.install_key);
    // That keys are missing is told by itself.
    let keys = freezing::signing_keys(config).ok().flatten();
    let made = Made {
        config,
        loaded,
        templates,
        signer: &signer,
        keys: keys.as_ref(),
    };
    editions::problems(&made, digest, &plan, &known.chosen)
}

/// What the lint says of the notices, for readers of the first digest.
fn notice_problems(sources: &Sources<'_>, now: DateTime<Utc>) -> Vec<Problem> {
    let Sources {
        config,
        loaded,
        templates,
    } = *sources;
    let Some(digest) = config.digests.first().filter(|_| config.mail.is_some()) else {
        return Vec::new();
    };
    // The key is of no matter: nothing of this leaves the program.
    let signer = Signer::new(&workspace::SAMPLE_KEY);
    let drawing = Drawing {
        language: None,
        config,
        templates,
        signer: &signer,
        keys: None,
        now,
    };
    let all = Notice::ALL.into_iter().flat_map(|notice| {
        let linting = Linting {
            config,
            loaded,
            digest,
            sources: Vec::new(),
            stem: notice.name(),
        };
        // What keeps it from being rendered is told by the check of templates.
        let drawn = drawing.draw(notice, digest);
        drawn.map_or_else(
            |_| Vec::new(),
            |(letter, _)| linting.notice_problems(&letter),
        )
    });
    all.collect()
}

/// Whether a finding is about the same line as a known one, or says the same
/// with less: then the known one is enough.
pub(super) fn says_the_same(known: &Problem, other: &Problem) -> bool {
    let is_same_line =
        other.line.is_some() && (&known.file, known.line) == (&other.file, other.line);
    is_same_line || (known.is_error() && other.what.contains(&known.what))
}

/// What keeps messages from being signed.
fn keys_problem(config: &Config) -> Option<Problem> {
    let settings = config.mail.as_ref()?.dkim.as_ref()?;
    let error = Keys::load(settings).err()?;
    // Each may be good by itself: then the last is of the same kind as another.
    let key = settings
        .keys
        .iter()
        .find(|key| Key::load(&key.file).is_err())
        .or(settings.keys.last())?;
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    Some(Problem::error(
        FILE_NAME,
        key.line,
        format!("{error}{}", cause.unwrap_or_default()),
        "`letterpress dkim generate` makes a key file and prints its DNS record",
    ))
}
