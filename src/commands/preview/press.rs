//! The publication read for a preview: settings, articles, templates, and what
//! the ledger remembers. Nothing is written.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use chrono::{DateTime, Utc};

use super::super::{
    Context,
    check::mail_problems,
    exit::{Exit, Failure},
    feeds,
    illustrations::{self, Illustrations},
    subscribers::stats::{self, Told},
    website,
    workspace::{self, Known},
};
use crate::{
    config::{Config, ConfigError},
    content::{Cache, Loaded, SetAside},
    domain::{
        article::{Article, Remembered, Slug},
        chronicle::Chronicle,
        collection::Collection,
        media_type,
        problem::Problem,
    },
    pages::{self, Letter},
    templates::Templates,
};

/// The publication as it was read.
pub(super) struct Press {
    pub(super) config: Config,
    pub(super) loaded: Loaded,
    pub(super) templates: Templates,
    /// As the next build would leave it.
    pub(super) chronicle: Chronicle,
    /// Issues that were sent.
    pub(super) letters: Vec<Letter>,
    /// What the ledger knows of each digest.
    pub(super) known: BTreeMap<Slug, Known>,
    /// How the list grows, where there is a ledger.
    pub(super) readers: Option<Told>,
    /// When it was read, by the clock of the command.
    pub(super) now: DateTime<Utc>,
    /// What the next reading need not parse.
    cache: Arc<Cache>,
    /// Our own files that are published, by path below the output folder.
    files: HashMap<String, PathBuf>,
    /// Media types that articles know better than file names.
    media_types: HashMap<String, String>,
    everything: OnceLock<Collection>,
    /// Of the letters that were looked at: their pictures are asked for next.
    illustrations: Mutex<Vec<Arc<Illustrations>>>,
}

/// What the ledger says, as far as it can be read.
#[derive(Default)]
struct Ledger {
    chronicle: Chronicle,
    letters: Vec<Letter>,
    known: BTreeMap<Slug, Known>,
    readers: Option<Told>,
}

type Read = (Press, Vec<Problem>);

/// So many of each are plotted.
const MONTHS_AND_ISSUES: (usize, usize) = (24, 24);

/// Reads the publication for the first time.
///
/// # Errors
/// When there is no content folder.
pub(super) async fn first(
    context: &Context,
    config: Config,
    problems: Vec<Problem>,
) -> Result<Read, Failure> {
    let cache = Arc::new(workspace::kept_cache(&config));
    press(context, config, problems, &cache).await
}

/// Reads the publication again; what has not changed since `before` is not
/// parsed again.
///
/// # Errors
/// With everything that is wrong with the settings, or with why the content
/// folder cannot be read.
pub(super) async fn read(
    context: &Context,
    file: &Path,
    before: &Press,
) -> Result<Read, Vec<Problem>> {
    let name = file.file_name().map_or_else(|| file.into(), PathBuf::from);
    let (config, problems) = Config::load(file).map_err(|error| match error {
        ConfigError::Invalid(problems) => problems,
        other => vec![Failure::of(Exit::NoInput, &other).problem(&name)],
    })?;
    let dir = config.content_dir.clone();
    let read = press(context, config, problems, &before.cache).await;
    read.map_err(|failure| vec![failure.problem(&dir)])
}

async fn press(
    context: &Context,
    config: Config,
    mut problems: Vec<Problem>,
    cache: &Arc<Cache>,
) -> Result<Read, Failure> {
    let now = context.clock.now();
    // 1. What the ledger remembers; without it articles can still be looked at.
    let (templates, template_problems) =
        tokio::task::block_in_place(|| workspace::templates(&config));
    problems.extend(template_problems);
    let (ledger, remembered) = match ledger(context, &config, &templates).await {
        Ok(known) => known,
        Err(failure) => {
            problems.push(failure.problem(config.store.name().as_ref()));
            (Ledger::default(), Vec::new())
        }
    };
    // 2. Articles and templates: other tasks go on meanwhile.
    let (loaded, cache, found) = tokio::task::block_in_place(|| {
        let mut loaded =
            workspace::articles_from(context, &config, &remembered, now, cache, false)?;
        let cache = match loaded.cache.take() {
            Some(bytes) => Arc::new(Cache::read(bytes)),
            None => Arc::clone(cache),
        };
        let mut found = Vec::new();
        if config.content.pages {
            let collection = &loaded.collection;
            found.extend(pages::check_templates(
                &config.publication,
                collection,
                &templates,
            ));
        }
        found.extend(mail_problems(&config, &templates));
        Ok::<_, Failure>((loaded, cache, found))
    })?;
    problems.extend(loaded.problems.iter().cloned());
    problems.extend(found);
    problems.sort();
    problems.dedup();
    // 3. What a build would make of it.
    let (chronicle, _) = feeds::foresee(&config, &loaded, ledger.chronicle, now);
    let files = files(&config, &loaded);
    let media_types = media_types(&config, &loaded);
    let press = Press {
        config,
        loaded,
        templates,
        chronicle,
        letters: ledger.letters,
        known: ledger.known,
        readers: ledger.readers,
        now,
        cache,
        files,
        media_types,
        everything: OnceLock::new(),
        illustrations: Mutex::default(),
    };
    Ok((press, problems))
}

async fn ledger(
    context: &Context,
    config: &Config,
    templates: &Templates,
) -> Result<(Ledger, Vec<Remembered>), Failure> {
    let mut ledger = Ledger::default();
    let store = workspace::existing_ledger(context, config).await?;
    let store = store.as_ref();
    for digest in &config.digests {
        let known = workspace::known(config, store, digest).await?;
        ledger.known.insert(digest.name.clone(), known);
    }
    let remembered = workspace::remembered(store).await?;
    let Some(store) = store else {
        return Ok((ledger, remembered));
    };
    ledger.chronicle = store.chronicle().await.map_err(workspace::store_failure)?;
    ledger.letters = website::letters(config, templates, store).await?;
    ledger.readers = Some(stats::told(config, store, MONTHS_AND_ISSUES).await?);
    Ok((ledger, remembered))
}

fn files(config: &Config, loaded: &Loaded) -> HashMap<String, PathBuf> {
    let artwork = config.artwork.iter().map(|(file, url)| (file, url));
    let aside = loaded.set_aside.iter().flat_map(|one| &one.files);
    let assets = loaded.pictures.iter().chain(aside);
    let assets = assets.map(|asset| (&asset.file, &asset.url));
    artwork
        .chain(assets)
        .filter_map(|(file, url)| Some((config.publication.file_at(url)?, config.root.join(file))))
        .collect()
}

fn media_types(config: &Config, loaded: &Loaded) -> HashMap<String, String> {
    let aside = loaded.set_aside.iter().map(|one| &one.article);
    let articles = loaded.collection.articles().iter().chain(aside);
    let enclosures = articles.filter_map(|article| article.enclosure.as_deref());
    let known = enclosures.flat_map(|enclosure| {
        let beside = enclosure.transcript.iter().chain(&enclosure.chapters);
        let beside = beside.map(|one| (&one.url, &one.media_type));
        std::iter::once((&enclosure.url, &enclosure.media_type)).chain(beside)
    });
    known
        .filter_map(|(url, kind)| Some((config.publication.file_at(url)?, kind.clone())))
        .collect()
}

impl Press {
    /// Keeps the pictures of a letter that is shown.
    pub(super) fn keep_illustrations(&self, illustrations: Illustrations) {
        let all = self.illustrations.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        // Two frames side by side, of as many digests as anybody compares.
        if all.len() >= 8 {
            all.remove(0);
        }
        all.push(Arc::new(illustrations));
    }

    /// The copy of a picture that a letter shows: made now, or as it was sent.
    pub(super) fn mail_picture(&self, name: &str) -> Option<Vec<u8>> {
        let all = self.illustrations.lock();
        let all = all.unwrap_or_else(PoisonError::into_inner).clone();
        let made = all.iter().rev().find_map(|one| {
            let made = one.make(&[name]).ok()?;
            made.into_iter().next().map(|(_, bytes)| bytes)
        });
        made.or_else(|| fs::read(illustrations::public(&self.config).join(name)).ok())
    }

    /// Published articles and those that are held back, as if all were
    /// published: for the pages of the latter.
    pub(super) fn everything(&self) -> &Collection {
        self.everything.get_or_init(|| {
            let collection = &self.loaded.collection;
            let aside = self.loaded.set_aside.iter().map(|one| &one.article);
            let articles = collection.articles().iter().chain(aside).cloned();
            let sections = collection.sections().values().cloned();
            Collection::new(articles.collect(), sections, Vec::new())
        })
    }

    /// The article that is written in this file, published or not.
    pub(super) fn article_in(&self, source: &Path) -> Option<&Article> {
        let published = self.loaded.collection.articles().iter();
        let aside = self.loaded.set_aside.iter().map(|one| &one.article);
        published.chain(aside).find(|one| one.source == source)
    }

    /// The held-back article that is written in this file.
    pub(super) fn set_aside(&self, source: &Path) -> Option<&SetAside> {
        let mut aside = self.loaded.set_aside.iter();
        aside.find(|one| one.article.source == source)
    }

    /// The source of the held-back article whose page would be this file.
    pub(super) fn held_back_at(&self, page: &str) -> Option<&Path> {
        let publication = &self.config.publication;
        let is_here = |one: &&SetAside| {
            !one.article.is_elsewhere
                && publication.file_at(&one.article.url).as_deref() == Some(page)
        };
        let found = self.loaded.set_aside.iter().find(is_here)?;
        Some(&found.article.source)
    }

    /// The file that is published at a path below the output folder.
    pub(super) fn file_at(&self, path: &str) -> Option<&Path> {
        self.files.get(path).map(PathBuf::as_path)
    }

    /// The media type of that file.
    pub(super) fn media_type_at(&self, path: &str) -> Cow<'_, str> {
        match self.media_types.get(path) {
            Some(known) => Cow::Borrowed(known),
            None => media_type::of_file(path),
        }
    }
}
