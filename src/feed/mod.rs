//! A collection as feeds: RSS 2.0, Atom 1.0 and JSON Feed 1.1.
//!
//! [`Feed::assemble`] gathers what all three formats say; one file per format
//! says it. No clock and no files: equal input gives equal bytes.

mod atom;
mod entry;
mod json;
mod rss;
mod stream;
mod xml;

use std::{collections::HashMap, error::Error, sync::Arc};

use chrono::{DateTime, FixedOffset};
use url::Url;

pub use entry::{Category, Entry, Person};
pub use stream::{Stream, select, streams};

use crate::domain::{
    article::{Article, ArticleId, Body},
    collection::Collection,
    publication::{FeedRules, Logo, Publication},
};

/// Who made the feed; without a version, so that an upgrade alters no byte.
const GENERATOR: &str = "Letterpress";

/// One format-neutral feed: everything the three writers need, nothing else.
#[derive(Debug, Clone)]
pub struct Feed<'a> {
    /// What the feed is called: plain text, one line.
    pub title: String,
    /// One sentence about it: plain text, one line.
    pub description: String,
    /// BCP 47 tag.
    pub language: String,
    /// The page that shows the same articles.
    pub home_page: Url,
    /// The feed's folder below `public/`: empty, or ends in `/`.
    pub path: String,
    /// Base of `rss.xml`, `atom.xml` and `feed.json`; ends in `/`.
    pub folder: Url,
    /// Those who speak where an article names nobody.
    pub authors: Vec<Person>,
    /// The square icon, if any.
    pub icon: Option<&'a Logo>,
    /// The logo, if any.
    pub logo: Option<&'a Logo>,
    /// The WebSub hub that tells of changes, if any.
    pub hub: Option<&'a Url>,
    /// The line about rights, if any.
    pub rights: Option<String>,
    /// The newest `updated` of the entries, never the time of the build. The
    /// Unix epoch while there are no entries.
    pub updated: DateTime<FixedOffset>,
    /// A `tag:` URI that outlives every move of the site (RFC 4151).
    pub id: String,
    /// Newest first.
    pub entries: Vec<Entry<'a>>,
}

/// One output file, complete in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below `public/`, with `/`: `rss.xml`, `sections/food/atom.xml`.
    pub path: String,
    /// Media type to serve it with.
    pub media_type: &'static str,
    /// What stands in it: UTF-8.
    pub bytes: Vec<u8>,
}

/// Why a feed could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The caller chose an article but did not render it.
    #[error("article {0} was chosen for a feed but has no rendered body")]
    MissingBody(ArticleId),
    /// The typed writer failed.
    #[error("cannot write {path} as {format}")]
    Write {
        /// `RSS`, `Atom` or `JSON Feed`.
        format: &'static str,
        /// The file below `public/`.
        path: String,
        /// What the writer said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl<'a> Feed<'a> {
    /// Gathers what the feed of `stream` says about `articles`, which
    /// [`select`] chose and the caller rendered into `bodies`.
    ///
    /// # Errors
    /// When an article has no body.
    pub fn assemble(
        publication: &'a Publication,
        rules: &'a FeedRules,
        collection: &Collection,
        stream: &Stream,
        articles: &[&'a Article],
        bodies: &HashMap<ArticleId, Arc<Body>>,
    ) -> Result<Self, FeedError> {
        let entries = articles
            .iter()
            .map(|&article| {
                let body = bodies
                    .get(&article.id)
                    .ok_or_else(|| FeedError::MissingBody(article.id.clone()))?;
                let categories = entry::categories(article, collection, &publication.base_url);
                Ok(Entry::new(
                    article,
                    Arc::clone(body),
                    rules.content,
                    categories,
                ))
            })
            .collect::<Result<Vec<_>, FeedError>>()?;
        let updated = entries.iter().map(Entry::updated).max();
        let path = stream.path();
        Ok(Self {
            title: entry::line(&stream.title(publication, collection)),
            description: entry::line(stream.description(publication, collection)),
            language: stream.language(publication, collection).to_owned(),
            home_page: stream.home_page(&publication.base_url),
            folder: entry::below(&publication.base_url, &path),
            id: stream.feed_id(&publication.id_authority),
            path,
            authors: Person::all(&publication.authors),
            icon: publication.icon.as_ref(),
            logo: publication.logo.as_ref(),
            hub: rules.hub.as_ref(),
            rights: publication
                .rights
                .as_deref()
                .map(entry::line)
                .filter(|line| !line.is_empty()),
            updated: updated.unwrap_or_else(|| DateTime::UNIX_EPOCH.fixed_offset()),
            entries,
        })
    }

    /// The feed in its three formats: RSS, Atom, JSON Feed.
    ///
    /// # Errors
    /// When a writer fails; none does for want of a fact.
    pub fn files(&self) -> Result<[File; 3], FeedError> {
        Ok([
            self.file(&rss::FORMAT, rss::write(self))?,
            self.file(&atom::FORMAT, atom::write(self))?,
            self.file(&json::FORMAT, json::write(self))?,
        ])
    }

    fn file(
        &self,
        format: &Format,
        written: Result<Vec<u8>, WriterError>,
    ) -> Result<File, FeedError> {
        let path = format!("{}{}", self.path, format.file);
        match written {
            Ok(bytes) => Ok(File {
                path,
                media_type: format.media_type,
                bytes,
            }),
            Err(source) => Err(FeedError::Write {
                format: format.name,
                path,
                source,
            }),
        }
    }

    /// The public URL of this feed in `format`: what its self link says.
    fn address(&self, format: &Format) -> String {
        entry::address(&entry::below(&self.folder, format.file))
    }

    fn has_pictures(&self) -> bool {
        self.entries.iter().any(|e| e.article.hero.is_some())
    }
}

/// What a format is called, where it stands and how it is served.
struct Format {
    name: &'static str,
    file: &'static str,
    media_type: &'static str,
}

/// Whatever the writer of a format had to say; boxed because each has its own type.
type WriterError = Box<dyn Error + Send + Sync>;
