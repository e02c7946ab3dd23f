//! The feeds of a build: the ledger learns what is shown, then every stream's
//! documents are made, many at a time, and handed to the publisher.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{
    Context,
    exit::{Exit, Failure},
    publisher::Publisher,
    workspace,
};
use crate::{
    config::Config,
    content::{Changed, Loaded, Renderer},
    domain::{
        article::{Article, ArticleId, Body},
        chronicle::{Archived, Changes, Chronicle, Documents, Tombstone},
        fingerprint::Fingerprint,
        podcast::Podcast,
        publication::FeedContent,
    },
    feed::{self, Feed, FeedError, File, Outline, Part, Stream},
    store::Store,
};

/// Tombstones in one feed: enough for readers who look in once a season.
const MOST_TOMBSTONES: usize = 100;

/// Changes when archive documents are written differently, so that those of
/// older versions are made anew.
const ARCHIVE_VERSION: &str = "1";

/// What new archive documents were made of. The ledger may know it once they
/// stand in their places, not before.
#[must_use]
pub struct Made {
    folder: String,
    files: Vec<(String, String)>,
}

impl Made {
    /// Tells the ledger; for when the publisher has finished.
    ///
    /// # Errors
    /// When the ledger cannot be written; then the next build makes the same
    /// documents again.
    pub async fn note(self, store: &Store) -> Result<(), Failure> {
        if self.files.is_empty() {
            return Ok(());
        }
        let noting = store.note_archive_files(&self.folder, self.files).await;
        noting.map_err(workspace::store_failure)
    }
}

/// Makes every feed.
///
/// # Errors
/// When the ledger or a file cannot be written.
pub async fn publish(
    context: &Context,
    config: &Config,
    store: &Store,
    loaded: &Loaded,
    publisher: &Publisher<'_>,
) -> Result<Made, Failure> {
    // 1. What readers are shown from now on.
    let chronicle = record(context, config, store, loaded).await?;
    // 2. What they subscribe to.
    let maker = Maker::new(config, loaded, &chronicle);
    maker.subscriptions(context, publisher)?;
    maker.podcasts(publisher)?;
    let list = feed::opml(&config.publication, &loaded.collection, &maker.streams);
    let list = list.map_err(|error| broken(&error))?;
    publisher.put(&list.path, None, &list.bytes)?;
    // 3. What stays as it is once it is there.
    let folder = publisher.folder().to_owned();
    let known = store.archive_files(&folder).await;
    let known = known.map_err(workspace::store_failure)?;
    let files = maker.archives(context, &known, publisher)?;
    Ok(Made { folder, files })
}

/// Tells the ledger which articles are new, gone or back, and which archive
/// documents are complete.
async fn record(
    context: &Context,
    config: &Config,
    store: &Store,
    loaded: &Loaded,
) -> Result<Chronicle, Failure> {
    let now = context.clock.start();
    let known = store.chronicle().await.map_err(workspace::store_failure)?;
    let (chronicle, changes) = foresee(config, loaded, known, now);
    if !changes.is_empty() {
        let recording = store.record_published(changes, now).await;
        recording.map_err(workspace::store_failure)?;
    }
    Ok(chronicle)
}

/// What a build at `now` would make of the chronicle, and what it would add.
pub(super) fn foresee(
    config: &Config,
    loaded: &Loaded,
    mut chronicle: Chronicle,
    now: DateTime<Utc>,
) -> (Chronicle, Changes) {
    let collection = &loaded.collection;
    let folders = |article: &Article| {
        let streams = feed::streams_of(article, collection);
        let paths = streams.iter().map(Stream::path);
        paths.filter(|path| !path.is_empty()).collect()
    };
    let mut changes = chronicle.changes(collection, folders, now);
    chronicle.apply(&noticed(&chronicle, &changes));
    let archived = completed(config, loaded, &chronicle);
    chronicle.apply(&Changes {
        archived: archived.clone(),
        ..Changes::default()
    });
    changes.archived = archived;
    (chronicle, changes)
}

/// The changes that feeds tell of: what is gone and what is back. New articles
/// may be very many, and no feed asks the chronicle for them.
fn noticed(chronicle: &Chronicle, changes: &Changes) -> Changes {
    let was_gone = |id| {
        let known = chronicle.published.get(id);
        known.is_some_and(|known| known.gone_at.is_some())
    };
    let published = changes.published.iter();
    Changes {
        published: published
            .filter(|(id, row)| row.gone_at.is_some() || was_gone(id))
            .cloned()
            .collect(),
        returned: changes.returned.clone(),
        archived: Vec::new(),
    }
}

/// The articles of archive documents that are complete from now on.
fn completed(config: &Config, loaded: &Loaded, chronicle: &Chronicle) -> Vec<Archived> {
    let none = Documents::default();
    let mut archived = Vec::new();
    for stream in feed::streams(&loaded.collection) {
        let path = stream.path();
        let documents = chronicle.archives.get(&path).unwrap_or(&none);
        let new = feed::complete(&loaded.collection, &stream, &config.feeds, documents);
        let first = documents.newest().unwrap_or(0) + 1;
        for (document, articles) in (first..).zip(new) {
            archived.extend(articles.iter().map(|article| Archived {
                stream: path.clone(),
                document,
                id: article.id.clone(),
                updated: article.updated.to_utc(),
            }));
        }
    }
    archived
}

/// A document that is to be made.
struct Plan<'a> {
    stream: &'a Stream,
    articles: Vec<&'a Article>,
    part: Part,
    withdrawn: Vec<Tombstone>,
}

/// What documents are made of.
pub(super) struct Maker<'a> {
    config: &'a Config,
    loaded: &'a Loaded,
    chronicle: &'a Chronicle,
    /// By the folder of the stream that showed them.
    tombstones: HashMap<&'a str, Vec<Tombstone>>,
    streams: Vec<Stream>,
}

type Bodies = HashMap<ArticleId, Arc<Body>>;

impl<'a> Maker<'a> {
    /// A maker of what `chronicle` and the articles say.
    pub(super) fn new(config: &'a Config, loaded: &'a Loaded, chronicle: &'a Chronicle) -> Self {
        Self {
            config,
            loaded,
            chronicle,
            tombstones: chronicle.tombstones(),
            streams: feed::streams(&loaded.collection),
        }
    }

    /// Every stream that has feeds.
    pub(super) fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// What readers of one stream subscribe to, for whoever wants to look at
    /// it before it is written.
    ///
    /// # Errors
    /// When the documents cannot be made.
    pub(super) fn one<T>(
        &self,
        stream: &Stream,
        look: impl FnOnce(&Feed<'_>) -> Result<T, FeedError>,
    ) -> Result<T, Unmade> {
        let plan = self.subscription(stream);
        let bodies = self.bodies(&plan)?;
        let feed = self.assemble(&plan).with_bodies(&bodies)?;
        Ok(look(&feed)?)
    }

    /// The podcast feed of a stream, if it has one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn podcast(&self, stream: &Stream) -> Result<Option<File>, Unmade> {
        let Some((podcast, plan)) = self.episodes(stream) else {
            return Ok(None);
        };
        let bodies = self.bodies(&plan)?;
        let feed = self.assemble(&plan).with_bodies(&bodies)?;
        Ok(Some(feed.podcast(podcast)?))
    }

    fn episodes<'b>(&'b self, stream: &'b Stream) -> Option<(&'b Podcast, Plan<'b>)> {
        let collection = &self.loaded.collection;
        let podcast = feed::podcast_of(stream, collection)?;
        let plan = Plan {
            stream,
            articles: feed::episodes(stream, collection),
            part: Part::Subscription { newest: None },
            withdrawn: Vec::new(),
        };
        Some((podcast, plan))
    }

    /// Numbers of the archive documents of a stream, oldest first.
    pub(super) fn archive_numbers(&self, stream: &Stream) -> Vec<u32> {
        let is_archived = self.config.feeds.archive_size.is_some() && stream.is_archived();
        let documents = self.chronicle.archives.get(&stream.path());
        let documents = documents.filter(|_| is_archived);
        let numbers = documents.into_iter().flat_map(Documents::iter);
        numbers.map(|(number, _)| number).collect()
    }

    /// One archive document of a stream, if it is complete.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn archive(&self, stream: &Stream, number: u32) -> Result<Vec<File>, Unmade> {
        let documents = self.chronicle.archives.get(&stream.path());
        let found = documents.and_then(|documents| {
            let (_, ids) = documents.iter().find(|(known, _)| *known == number)?;
            Some(self.document(stream, documents, number, ids))
        });
        let Some(plan) = found else {
            return Ok(Vec::new());
        };
        let bodies = self.bodies(&plan)?;
        Ok(self.assemble(&plan).with_bodies(&bodies)?.files()?)
    }

    /// Makes the feeds that say something new; the others stay, unread.
    fn subscriptions(&self, context: &Context, publisher: &Publisher<'_>) -> Result<(), Failure> {
        let plans: Vec<Plan<'_>> = self
            .streams
            .par_iter()
            .map(|s| self.subscription(s))
            .collect();
        let new = plans
            .par_iter()
            .map(|plan| {
                let feed = self.assemble(plan);
                let recipe = feed.recipe();
                let is_kept = publisher.keeps_all(&feed.places(), recipe)?;
                Ok((!is_kept).then_some((feed, recipe)))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let new: Vec<(Outline<'_>, Fingerprint)> = new.into_iter().flatten().collect();
        // Streams share articles: each is rendered once.
        let shown = new.iter().flat_map(|(feed, _)| &feed.entries);
        let bodies = self
            .renderer()
            .render_all(shown.map(|entry| entry.article))?;
        let bar = context.talk.bar("building", new.len() as u64);
        new.into_par_iter().try_for_each(|(feed, recipe)| {
            let feed = feed.with_bodies(&bodies).map_err(|error| broken(&error))?;
            for file in feed.files().map_err(|error| broken(&error))? {
                publisher.put_feed(&file.path, Some(recipe), &file.bytes)?;
            }
            bar.inc(1);
            Ok::<(), Failure>(())
        })?;
        bar.finish_and_clear();
        Ok(())
    }

    fn subscription<'b>(&'b self, stream: &'b Stream) -> Plan<'b> {
        let none = Documents::default();
        let path = stream.path();
        let has_archive = self.config.feeds.archive_size.is_some() && stream.is_archived();
        let documents = self.chronicle.archives.get(&path);
        let documents = documents.filter(|_| has_archive).unwrap_or(&none);
        let stones = self.tombstones.get(path.as_str());
        let stones = stones.into_iter().flatten().take(MOST_TOMBSTONES);
        Plan {
            stream,
            articles: feed::subscription(
                &self.loaded.collection,
                stream,
                &self.config.feeds,
                documents,
            ),
            part: Part::Subscription {
                newest: documents.newest(),
            },
            withdrawn: stones.cloned().collect(),
        }
    }

    /// Makes the podcasts that say something new.
    fn podcasts(&self, publisher: &Publisher<'_>) -> Result<(), Failure> {
        for (podcast, plan) in self.streams.iter().filter_map(|one| self.episodes(one)) {
            let feed = self.assemble(&plan);
            let recipe = feed.podcast_recipe(podcast);
            if publisher.keeps(&feed.podcast_place(), recipe)? {
                continue;
            }
            let feed = feed.with_bodies(&self.bodies(&plan)?);
            let file = feed.and_then(|feed| feed.podcast(podcast));
            let file = file.map_err(|error| broken(&error))?;
            publisher.put_feed(&file.path, Some(recipe), &file.bytes)?;
        }
        Ok(())
    }

    /// Makes the archive documents that are not there as they should be, and
    /// returns their paths with what they were made of.
    fn archives(
        &self,
        context: &Context,
        known: &HashMap<String, String>,
        publisher: &Publisher<'_>,
    ) -> Result<Vec<(String, String)>, Failure> {
        if self.config.feeds.archive_size.is_none() {
            return Ok(Vec::new());
        }
        let mut plans = Vec::new();
        let mut noted = Vec::new();
        for stream in self.streams.iter().filter(|stream| stream.is_archived()) {
            let Some(documents) = self.chronicle.archives.get(&stream.path()) else {
                continue;
            };
            for (number, ids) in documents.iter() {
                let plan = self.document(stream, documents, number, ids);
                let fingerprint = self.fingerprint(&plan);
                let paths = feed::archive_files(stream, number).map(|file| file.path);
                let is_known = |path: &String| known.get(path) == Some(&fingerprint);
                if paths.iter().all(is_known) && publisher.keep_all(&paths)? {
                    continue;
                }
                noted.extend(paths.map(|path| (path, fingerprint.clone())));
                plans.push(plan);
            }
        }
        let bar = context.talk.bar("archiving", plans.len() as u64);
        // An article is rendered once for all its documents, and in memory only
        // as long as one of them is to come: so those of one time come together.
        plans.sort_by_key(|plan| plan.articles.last().map(|oldest| oldest.published));
        let renderer = self.renderer();
        let uses = Uses::of(&plans);
        plans.par_iter().try_for_each(|plan| {
            let bodies = renderer.render_all(plan.articles.iter().copied())?;
            let feed = self.assemble(plan).with_bodies(&bodies);
            let files = feed.and_then(|feed| feed.files());
            for file in files.map_err(|error| broken(&error))? {
                publisher.put(&file.path, None, &file.bytes)?;
            }
            for article in &plan.articles {
                if uses.end(&article.id) {
                    renderer.forget(&article.id);
                }
            }
            bar.inc(1);
            Ok::<(), Failure>(())
        })?;
        bar.finish_and_clear();
        Ok(noted)
    }

    fn document<'b>(
        &'b self,
        stream: &'b Stream,
        documents: &Documents,
        number: u32,
        ids: &[ArticleId],
    ) -> Plan<'b> {
        let (older, newer) = documents.around(number);
        let mut withdrawn: Vec<Tombstone> = ids
            .iter()
            .filter_map(|id| {
                let at = self.chronicle.published.get(id)?.gone_at?;
                Some(Tombstone { id: id.clone(), at })
            })
            .collect();
        withdrawn.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Plan {
            stream,
            articles: feed::document(&self.loaded.collection, ids),
            part: Part::Archive {
                number,
                older,
                newer,
            },
            withdrawn,
        }
    }

    /// What may change an archive document: where everything is read, and what
    /// was taken back. Not the words of articles, and not the next document.
    fn fingerprint(&self, plan: &Plan<'_>) -> String {
        let publication = &self.config.publication;
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text);
            hash.update([0]);
        };
        add(ARCHIVE_VERSION);
        add(publication.base_url.as_str());
        add(&publication.id_authority);
        add(&self.config.content.permalink);
        add(match self.config.feeds.content {
            FeedContent::Full => "full",
            FeedContent::Summary => "summary",
        });
        if let Part::Archive { number, older, .. } = plan.part {
            add(&format!("{number} {older:?}"));
        }
        for article in &plan.articles {
            add(article.id.as_str());
        }
        for stone in &plan.withdrawn {
            add(&format!("{} {}", stone.id, stone.at.timestamp()));
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }

    /// The bodies of one document, rendered for it alone.
    fn bodies(&self, plan: &Plan<'_>) -> Result<Bodies, Changed> {
        self.renderer().render_all(plan.articles.iter().copied())
    }

    fn renderer(&self) -> Renderer {
        Renderer::new(Arc::clone(&self.loaded.site)).without_text()
    }

    fn assemble<'b>(&'b self, plan: &Plan<'b>) -> Outline<'b> {
        Outline::assemble(
            &self.config.publication,
            &self.config.feeds,
            &self.loaded.collection,
            plan.stream,
            &plan.articles,
        )
        .in_history(plan.part, plan.withdrawn.clone())
    }
}

/// Why a document cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unmade {
    /// It cannot be written.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// An article was edited meanwhile.
    #[error(transparent)]
    Changed(#[from] Changed),
}

impl From<Unmade> for Failure {
    fn from(error: Unmade) -> Self {
        match error {
            Unmade::Feed(error) => broken(&error),
            Unmade::Changed(error) => error.into(),
        }
    }
}

/// In how many documents that are still to be made each article stands.
struct Uses<'a>(HashMap<&'a ArticleId, AtomicUsize>);

impl<'a> Uses<'a> {
    fn of(plans: &[Plan<'a>]) -> Self {
        let mut uses: HashMap<&ArticleId, AtomicUsize> = HashMap::new();
        for article in plans.iter().flat_map(|plan| &plan.articles) {
            *uses.entry(&article.id).or_default().get_mut() += 1;
        }
        Self(uses)
    }

    /// One of them is made: whether it was the last.
    fn end(&self, article: &ArticleId) -> bool {
        let left = self.0.get(article);
        left.is_none_or(|left| left.fetch_sub(1, Ordering::Relaxed) <= 1)
    }
}

fn broken(error: &FeedError) -> Failure {
    Failure::of(Exit::Internal, error)
}
