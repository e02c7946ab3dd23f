//! The steps most commands begin with: read the configuration, open the
//! ledger, load the articles, compile the templates.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::{Config, ConfigError},
    content::{self, Cache, Changed, LoadError, Loaded, Source},
    domain::{
        article::Remembered, digest::Digest, issue::History, problem::Problem, subscriber::Status,
    },
    files::{self, Readers},
    store::{self, Chosen, ErrorClass, Store, StoreError, Trouble},
    templates::Templates,
};

use super::{
    Context,
    exit::{Exit, Failure},
    subscribers,
    talk::{self, count},
};

/// Where templates of the publication are, below its root.
pub const TEMPLATES: &str = "templates";
/// Where feeds and pages go, below its root.
pub const PUBLIC: &str = "public";

/// Reads the configuration; warnings are left to `check`.
///
/// # Errors
/// Exit 66 when there is none, 78 when it has errors, each on its own line.
pub fn configuration(context: &Context) -> Result<(Config, Vec<Problem>), Failure> {
    configuration_in(context, &config_file(context)?)
}

/// The file of the settings: the one that was named, or the nearest.
///
/// # Errors
/// Exit 66 when there is none.
pub fn config_file(context: &Context) -> Result<PathBuf, Failure> {
    if let Some(path) = &context.config {
        return Ok(path.clone());
    }
    let here = std::env::current_dir().map_err(|e| Failure::of(Exit::NoInput, &e))?;
    crate::config::find(&here).map_err(|error| {
        Failure::of(Exit::NoInput, &error)
            .hint("`letterpress init` makes a publication; `--config FILE` names one")
    })
}

/// Reads the configuration from its file.
///
/// # Errors
/// As [`configuration`].
pub fn configuration_in(context: &Context, path: &Path) -> Result<(Config, Vec<Problem>), Failure> {
    Config::load(path).map_err(|error| match &error {
        ConfigError::Invalid(problems) => {
            for problem in problems {
                context.talk.must_say(problem);
            }
            Failure::of(Exit::Config, &error)
        }
        ConfigError::Read { .. } | ConfigError::NotFound { .. } => {
            Failure::of(Exit::NoInput, &error)
        }
    })
}

/// Opens the ledger, making it if it is new.
///
/// # Errors
/// With the exit code of the trouble.
pub async fn ledger(context: &Context, config: &Config) -> Result<Store, Failure> {
    Store::open(&config.store, context.clock.start())
        .await
        .map_err(store_failure)
}

/// A machine's clock that is off by less than this is not worth a word.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The same command by the clock of the ledger's server, where it has one: no
/// machine's own decides when something is due or over for all.
///
/// # Errors
/// With the exit code of the trouble.
pub async fn in_time(context: &Context, store: &Store) -> Result<Context, Failure> {
    let server = store.server_time().await.map_err(store_failure)?;
    let ahead = server.map_or(TimeDelta::zero(), |now| now - context.clock.machine_time());
    if ahead.abs() >= SKEW {
        context.talk.must_say(format!(
            "warning: this machine's clock is {} {} that of the database, which counts; set it right \
             (NTP)",
            talk::span(ahead.abs()),
            if ahead > TimeDelta::zero() { "behind" } else { "ahead of" },
        ));
    }
    let mut context = context.clone();
    context.clock = context.clock.by_server(ahead);
    Ok(context)
}

/// Opens the ledger if there is one; reading commands make none.
///
/// # Errors
/// With the exit code of the trouble.
pub async fn existing_ledger(context: &Context, config: &Config) -> Result<Option<Store>, Failure> {
    Store::open_existing(&config.store, context.clock.start())
        .await
        .map_err(store_failure)
}

/// Opens the ledger a command needs something from; makes none.
///
/// # Errors
/// Exit 66 when there is none yet.
pub async fn needed_ledger(context: &Context, config: &Config) -> Result<Store, Failure> {
    existing_ledger(context, config)
        .await?
        .ok_or_else(|| no_ledger(config))
}

/// The failure of commands that need a ledger where there is none.
#[must_use]
pub fn no_ledger(config: &Config) -> Failure {
    Failure::new(
        Exit::NoInput,
        format!("there is no ledger yet at {}", config.store.name()),
    )
    .hint("`letterpress run` makes it")
}

/// What to do about a damaged ledger.
pub const RESTORE: &str = "it is never mended by itself: see `restore` in docs/delivery.md, and keep \
                           the damaged file";

/// What a failed ledger means for the exit code.
#[must_use]
pub fn store_failure(error: StoreError) -> Failure {
    let (exit, hint) = match error.class() {
        ErrorClass::Unavailable => (
            Exit::Database,
            match error {
                StoreError::Away { .. } => {
                    "when the server is back, run the same command again; or see `store.url` in \
                     letterpress.toml"
                }
                _ => "another command may be importing; try again",
            },
        ),
        ErrorClass::Io => (Exit::Io, storage_hint(error.trouble())),
        ErrorClass::Configuration => (Exit::Config, configuration_hint(&error)),
        ErrorClass::Internal => (Exit::Internal, "this should not happen; please report it"),
    };
    let failure = Failure::of(exit, &error).hint(hint);
    if matches!(error, StoreError::Unavailable { .. }) {
        return failure.busy();
    }
    match error.trouble() {
        Some(
            Trouble::DiskFull
            | Trouble::SizeLimit
            | Trouble::Write
            | Trouble::Sync
            | Trouble::ReadOnly,
        ) => failure.unwritten(),
        _ => failure,
    }
}

fn storage_hint(trouble: Option<Trouble>) -> &'static str {
    match trouble {
        Some(Trouble::Corrupt) => RESTORE,
        Some(Trouble::Missing) => "make the folder, or see `store.url` in letterpress.toml",
        Some(Trouble::Permission) => {
            "run as the owner of the ledger and of its folder, or give them to this user"
        }
        Some(Trouble::ReadOnly) => "make it writable, then run the same command again",
        _ => "free space or mend the disk, then run the same command again: nothing is lost",
    }
}

fn configuration_hint(error: &StoreError) -> &'static str {
    match error {
        StoreError::Version { found, known, .. } if found > known => {
            "a newer Letterpress wrote it: use that one, or restore a backup from before"
        }
        StoreError::Version { .. } => "`letterpress run` migrates it",
        StoreError::Moved { is_whole: true, .. } => {
            "set `store.url` in letterpress.toml to where it is now; if it is lost there, \
             `letterpress store verify --accept-restored` makes this copy the ledger again"
        }
        StoreError::Moved { .. } | StoreError::Arriving { .. } => {
            "the same `letterpress store move` again finishes it; with `--give-up` the ledger stays \
             where it was"
        }
        _ => "see `store.url` in letterpress.toml",
    }
}

/// Loads every article, with progress. Ids that were minted are in the result
/// and not in the ledger yet.
///
/// # Errors
/// When `content/` cannot be read at all.
pub fn articles(
    context: &Context,
    config: &Config,
    remembered: &[Remembered],
) -> Result<Loaded, Failure> {
    articles_at(context, config, remembered, context.clock.start())
}

/// Loads every article as it will be published at a moment to come.
///
/// # Errors
/// When `content/` cannot be read at all.
pub fn articles_at(
    context: &Context,
    config: &Config,
    remembered: &[Remembered],
    now: DateTime<Utc>,
) -> Result<Loaded, Failure> {
    articles_from(context, config, remembered, now, &kept_cache(config), false)
}

/// The same from a cache that the caller has, and with a
/// [`Survey`](content::Survey) if one is wanted.
///
/// # Errors
/// When `content/` cannot be read at all.
pub fn articles_from(
    context: &Context,
    config: &Config,
    remembered: &[Remembered],
    now: DateTime<Utc>,
    cache: &Cache,
    is_surveyed: bool,
) -> Result<Loaded, Failure> {
    let bar = context.talk.bar("loading", 0);
    let since = context.clock.machine_time();
    let source = Source {
        root: &config.root,
        dir: &config.content_dir,
        publication: &config.publication,
        rules: &config.content,
        now,
        remembered,
        cache,
        since,
        is_surveyed,
    };
    let loaded = content::load(&source, &|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    loaded.map_err(|error: LoadError| Failure::of(Exit::NoInput, &error))
}

/// A file beside the ledger, named after it.
#[must_use]
pub fn beside_ledger(config: &Config, end: &str) -> PathBuf {
    store::companion(&config.store.path, end)
}

/// What the last build kept of the articles that it read.
#[must_use]
pub fn kept_cache(config: &Config) -> Cache {
    Cache::read(fs::read(article_cache(config)).unwrap_or_default())
}

fn article_cache(config: &Config) -> PathBuf {
    beside_ledger(config, ".articles.cache")
}

/// Keeps what was read for the next load. Without it that takes longer and
/// does the same, so a failure is none.
pub fn keep_cache(config: &Config, loaded: &mut Loaded) {
    if let Some(bytes) = loaded.cache.take() {
        drop(files::write_unsynced(
            &article_cache(config),
            &bytes,
            Readers::Owner,
        ));
    }
}

impl From<Changed> for Failure {
    fn from(error: Changed) -> Self {
        Self::of(Exit::Temporary, &error).hint("run the same command again; nothing was published")
    }
}

/// The publication's templates over the embedded ones.
#[must_use]
pub fn templates(config: &Config) -> (Templates, Vec<Problem>) {
    let folder = config.root.join(TEMPLATES);
    let (templates, mut problems) = Templates::load(folder.is_dir().then_some(&folder));
    for problem in &mut problems {
        problem.file = below_root(&config.root, &problem.file);
    }
    for digest in &config.digests {
        if !templates.has_kind(&digest.template) {
            problems.push(Problem::error(
                crate::config::FILE_NAME,
                None,
                format!(
                    "digest `{}` wants the template `{}`, which does not exist",
                    digest.name, digest.template
                ),
                format!(
                    "make {TEMPLATES}/{}/issue.html and issue.txt, or use one of: {}",
                    digest.template,
                    templates.kinds().join(", ")
                ),
            ));
        }
    }
    (templates, problems)
}

fn below_root(root: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(root).unwrap_or(file).to_owned()
}

/// More errors than this are only counted: `check` is there to list them.
const MOST_ERRORS_TOLD: usize = 20;
/// More warnings than this are only counted.
const MOST_WARNINGS_TOLD: usize = 5;

/// Says problems on stderr: errors always, warnings when somebody is looking,
/// and of very many only how many there are.
pub fn tell_problems(context: &Context, problems: &[Problem]) {
    let talk = context.talk;
    let (errors, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(|p| p.is_error());
    let is_told = |number: usize, most: usize| number <= most || talk.is_verbose();
    if is_told(warnings.len(), MOST_WARNINGS_TOLD) {
        warnings.iter().for_each(|warning| talk.say(warning));
    } else {
        let amount = count(warnings.len(), "warning");
        talk.say(format!("{amount}; `letterpress check` lists them"));
    }
    if is_told(errors.len(), MOST_ERRORS_TOLD) {
        errors.iter().for_each(|error| talk.must_say(error));
    } else {
        let (told, rest) = errors.split_at(MOST_ERRORS_TOLD);
        told.iter().for_each(|error| talk.must_say(error));
        let amount = count(rest.len(), "more error");
        talk.must_say(format!("… and {amount}"));
    }
}

/// Prints problems to stderr and refuses while an error stands among them.
///
/// # Errors
/// Exit 65 with the number of errors.
pub fn refuse_errors(context: &Context, problems: &[Problem]) -> Result<(), Failure> {
    let errors = problems.iter().filter(|p| p.is_error()).count();
    tell_problems(context, problems);
    if errors == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Data,
        format!("{} must be mended first", count(errors, "error")),
    )
    .hint("`letterpress check` lists them; nothing was published or sent"))
}

/// What the ledger knows of a digest, read without changing anything.
pub struct Known {
    /// What earlier issues carried.
    pub history: History,
    /// The secret of tokens and Message-IDs.
    pub install_key: [u8; 32],
    /// Active readers; before the first run, those it will bring.
    pub readers: u64,
    /// Whether the list was ever filled.
    pub has_readers: bool,
    /// What they chose.
    pub chosen: Vec<Chosen>,
}

/// Stands in for the install key where there is no ledger yet: nothing made
/// with it is ever kept.
pub(super) const SAMPLE_KEY: [u8; 32] = *b"letterpress sample: never kept..";

/// Reads what the ledger knows of a digest; without a ledger it knows nothing.
///
/// # Errors
/// With the exit code of the trouble.
pub async fn known(
    config: &Config,
    store: Option<&Store>,
    digest: &Digest,
) -> Result<Known, Failure> {
    let Some(store) = store else {
        return Ok(Known {
            history: History::default(),
            install_key: SAMPLE_KEY,
            chosen: Vec::new(),
            has_readers: false,
            readers: subscribers::active_in_seed(config)?,
        });
    };
    let counts = store.counts_by_status().await.map_err(store_failure)?;
    let readers = if counts.is_empty() {
        subscribers::active_in_seed(config)?
    } else {
        counts.get(&Status::Active).copied().unwrap_or(0)
    };
    Ok(Known {
        readers,
        has_readers: !counts.is_empty(),
        history: store.history(&digest.name).await.map_err(store_failure)?,
        install_key: *store.install_key(),
        chosen: store.choices().await.map_err(store_failure)?,
    })
}

/// The ids that the ledger remembers, by source file; none without a ledger.
///
/// # Errors
/// With the exit code of the trouble.
pub async fn remembered(store: Option<&Store>) -> Result<Vec<Remembered>, Failure> {
    match store {
        Some(store) => store.remembered().await.map_err(store_failure),
        None => Ok(Vec::new()),
    }
}

/// The failure of commands that need something to show.
#[must_use]
pub fn nothing_new(digest: &Digest) -> Failure {
    Failure::new(
        Exit::Data,
        format!("the next issue of `{}` would be empty", digest.name),
    )
    .hint(format!("`letterpress plan {}` says why", digest.name))
}

/// A table with aligned columns, the first row its head.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let gap = " ".repeat(width - cell.width());
            let _ = write!(line, "{cell}{gap}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
