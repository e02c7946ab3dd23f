//! Makes what readers subscribe to: the feeds and podcasts of every stream. What
//! would say the same as last time stays.

use std::{collections::HashMap, sync::Arc};

use rayon::prelude::*;

use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        publisher::Publisher,
    },
    config::Config,
    content::{Changed, Loaded, Renderer},
    domain::{
        article::{Article, ArticleId, Body},
        chronicle::{Chronicle, Documents, Tombstone},
        collection::Collection,
        fingerprint::Fingerprint,
        podcast::Podcast,
    },
    feed::{self, Feed, FeedError, File, Outline, Part, Stream},
};

/// Tombstones in one feed: enough for readers who look in once a season.
const MOST_TOMBSTONES: usize = 100;

/// A document that is to be made.
pub(in crate::commands) struct Plan<'a> {
    pub(in crate::commands) stream: &'a Stream,
    pub(in crate::commands) articles: Vec<&'a Article>,
    pub(in crate::commands) part: Part,
    pub(in crate::commands) withdrawn: Vec<Tombstone>,
}

impl<'a> Plan<'a> {
    /// What the document says but for the texts of its articles.
    pub(in crate::commands) fn assemble(
        &self,
        config: &'a Config,
        collection: &'a Collection,
    ) -> Outline<'a> {
        let Config {
            publication, feeds, ..
        } = config;
        Outline::assemble(publication, feeds, collection, self.stream, &self.articles)
            .in_history(self.part, self.withdrawn.clone())
    }
}

/// What documents are made of.
pub(in crate::commands) struct Maker<'a> {
    pub(super) config: &'a Config,
    pub(super) loaded: &'a Loaded,
    pub(super) chronicle: &'a Chronicle,
    /// By the folder of the stream that showed them.
    tombstones: HashMap<&'a str, Vec<Tombstone>>,
    streams: Vec<Stream>,
}

pub(super) type Bodies = HashMap<ArticleId, Arc<Body>>;

impl<'a> Maker<'a> {
    /// A maker of what `chronicle` and the articles say.
    pub(in crate::commands) fn new(
        config: &'a Config,
        loaded: &'a Loaded,
        chronicle: &'a Chronicle,
    ) -> Self {
        Self {
            config,
            loaded,
            chronicle,
            tombstones: chronicle.tombstones(),
            streams: feed::streams(&loaded.collection),
        }
    }

    /// Every stream that has feeds.
    pub(in crate::commands) fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// What readers of one stream subscribe to, for whoever wants to look at
    /// it before it is written.
    ///
    /// # Errors
    /// When the documents cannot be made.
    pub(in crate::commands) fn one<T>(
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
    pub(in crate::commands) fn podcast(&self, stream: &Stream) -> Result<Option<File>, Unmade> {
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

    /// What readers of every stream subscribe to.
    pub(super) fn subscriptions(&self) -> Vec<Plan<'_>> {
        let streams = self.streams.par_iter();
        streams.map(|stream| self.subscription(stream)).collect()
    }

    /// Makes the feeds that say something new; the others stay, unread.
    pub(super) fn publish(
        &self,
        context: &Context,
        publisher: &Publisher<'_>,
        plans: &[Plan<'_>],
    ) -> Result<(), Failure> {
        let outlines = plans.par_iter().map(|plan| self.assemble(plan)).collect();
        publish(context, publisher, &self.renderer(), outlines)
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
    pub(super) fn podcasts(&self, publisher: &Publisher<'_>) -> Result<(), Failure> {
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

    /// The bodies of one document, rendered for it alone.
    pub(super) fn bodies(&self, plan: &Plan<'_>) -> Result<Bodies, Changed> {
        self.renderer().render_all(plan.articles.iter().copied())
    }

    pub(super) fn renderer(&self) -> Renderer {
        Renderer::new(Arc::clone(&self.loaded.site)).without_text()
    }

    pub(super) fn assemble<'b>(&'b self, plan: &Plan<'b>) -> Outline<'b> {
        plan.assemble(self.config, &self.loaded.collection)
    }
}

/// Makes those of the feeds that say something new.
pub(in crate::commands) fn publish(
    context: &Context,
    publisher: &Publisher<'_>,
    renderer: &Renderer,
    outlines: Vec<Outline<'_>>,
) -> Result<(), Failure> {
    let new = outlines
        .into_par_iter()
        .map(|feed| {
            let recipe = feed.recipe();
            let is_kept = publisher.keeps_all(&feed.places(), recipe)?;
            Ok((!is_kept).then_some((feed, recipe)))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let new: Vec<(Outline<'_>, Fingerprint)> = new.into_iter().flatten().collect();
    // Streams share articles: each is rendered once.
    let shown = new.iter().flat_map(|(feed, _)| &feed.entries);
    let bodies = renderer.render_all(shown.map(|entry| entry.article))?;
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

/// Why a document cannot be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum Unmade {
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

pub(super) fn broken(error: &FeedError) -> Failure {
    Failure::of(Exit::Internal, error)
}
