//! A collection as feeds: RSS 2.0, Atom 1.0 and JSON Feed 1.1.
//!
//! [`Outline::assemble`] gathers what all three formats say; one file per format
//! says it. No clock and no files: equal input gives equal bytes.

mod archive;
mod atom;
mod entry;
mod json;
mod opml;
mod podcast;
mod rss;
mod stream;
mod xml;

use std::{collections::HashMap, error::Error, sync::Arc};

use chrono::{DateTime, FixedOffset};
use url::Url;

pub use archive::{Part, complete, document, subscription};
pub use entry::{Category, Entry, Listed, Person};
pub use opml::{FILE as LIST, opml};
pub use podcast::{FILE as PODCAST, episodes, of as podcast_of};
pub use stream::{Stream, folders_of, select, streams, streams_of};

use crate::domain::{
    article::{Article, ArticleId, Body},
    chronicle::Tombstone,
    collection::Collection,
    fingerprint::Fingerprint,
    podcast::Podcast,
    publication::{FeedRules, Logo, Publication},
};

/// Who made the feed; without a version, so that an upgrade alters no byte.
const GENERATOR: &str = "Letterpress";

/// One format-neutral feed: everything the three writers need, nothing else.
#[derive(Debug, Clone, Hash)]
pub struct Feed<'a, E = Entry<'a>> {
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
    pub entries: Vec<E>,
    /// Where this document stands in the feed's history.
    pub part: Part,
    /// What was taken back, newest first (RFC 6721); only Atom can say it.
    pub withdrawn: Vec<Tombstone>,
}

/// A feed without the texts of its articles: enough to tell whether it would
/// say something new.
pub type Outline<'a> = Feed<'a, Listed<'a>>;

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
        /// `RSS`, `Atom`, `JSON Feed` and the like.
        format: &'static str,
        /// The file below `public/`.
        path: String,
        /// What the writer said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl<'a> Outline<'a> {
    /// Gathers what the feed of `stream` says about `articles`, which
    /// [`select`] or [`subscription`] chose. It is a subscription document
    /// without archives, of which nothing was taken back, unless
    /// [`Outline::in_history`] says otherwise.
    #[must_use]
    pub fn assemble(
        publication: &'a Publication,
        rules: &'a FeedRules,
        collection: &'a Collection,
        stream: &Stream,
        articles: &[&'a Article],
    ) -> Self {
        let entries: Vec<_> = articles
            .iter()
            .map(|&article| {
                let categories = entry::categories(article, collection, &publication.base_url);
                Listed::new(article, rules.content, categories)
            })
            .collect();
        let updated = entries.iter().map(Listed::updated).max();
        let path = stream.path();
        Self {
            title: entry::line(&stream.title(publication, collection)),
            description: entry::line(stream.description(publication, collection)),
            language: stream.language(publication, collection).to_owned(),
            home_page: stream.home_page(&publication.base_url),
            folder: entry::below(&publication.base_url, &path),
            id: stream.feed_id(&publication.id_authority),
            path,
            authors: Person::all(stream.authors(publication, collection)),
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
            part: Part::Subscription { newest: None },
            withdrawn: Vec::new(),
        }
    }

    /// The feed with the texts of its articles, which the caller rendered.
    ///
    /// # Errors
    /// When an article has no body.
    pub fn with_bodies(
        self,
        bodies: &HashMap<ArticleId, Arc<Body>>,
    ) -> Result<Feed<'a>, FeedError> {
        let complete = |listed: Listed<'a>| {
            let id = &listed.article.id;
            let body = bodies.get(id);
            let body = body.ok_or_else(|| FeedError::MissingBody(id.clone()))?;
            Ok(listed.with_body(Arc::clone(body)))
        };
        let entries = self.entries.into_iter().map(complete);
        Ok(Feed {
            entries: entries.collect::<Result<_, FeedError>>()?,
            title: self.title,
            description: self.description,
            language: self.language,
            home_page: self.home_page,
            path: self.path,
            folder: self.folder,
            authors: self.authors,
            icon: self.icon,
            logo: self.logo,
            hub: self.hub,
            rights: self.rights,
            updated: self.updated,
            id: self.id,
            part: self.part,
            withdrawn: self.withdrawn,
        })
    }

    /// Of everything that the files of this feed say.
    #[must_use]
    pub fn recipe(&self) -> Fingerprint {
        Fingerprint::of(self)
    }

    /// Where the files of [`Feed::files`] stand, below `public/`.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let mut formats = vec![&rss::FORMAT, &atom::FORMAT];
        if let Part::Subscription { .. } = self.part {
            formats.push(&json::FORMAT);
        }
        let place = |format: &Format| format.at(&self.path, self.part).path;
        formats.into_iter().map(place).collect()
    }

    /// Of everything that [`Feed::podcast`] says.
    #[must_use]
    pub fn podcast_recipe(&self, podcast: &Podcast) -> Fingerprint {
        Fingerprint::of(&(self, podcast))
    }

    /// Where [`Feed::podcast`] stands, below `public/`.
    #[must_use]
    pub fn podcast_place(&self) -> String {
        podcast::FORMAT.at(&self.path, self.part).path
    }

    /// The same document at its place in the feed's history, with what was
    /// taken back from it.
    #[must_use]
    pub fn in_history(mut self, part: Part, withdrawn: Vec<Tombstone>) -> Self {
        if self.entries.is_empty()
            && let Some(newest) = withdrawn.first()
        {
            self.updated = newest.at.fixed_offset();
        }
        self.part = part;
        self.withdrawn = withdrawn;
        self
    }
}

impl Feed<'_> {
    /// The document in its formats: RSS, Atom, and but for an archive document
    /// JSON Feed, which has no archives.
    ///
    /// # Errors
    /// When a writer fails; none does for want of a fact.
    pub fn files(&self) -> Result<Vec<File>, FeedError> {
        let mut files = vec![
            self.file(&rss::FORMAT, rss::write(self))?,
            self.file(&atom::FORMAT, atom::write(self))?,
        ];
        if let Part::Subscription { .. } = self.part {
            files.push(self.file(&json::FORMAT, json::write(self))?);
        }
        Ok(files)
    }

    /// The podcast feed, if `self` holds the [`episodes`] of the section that
    /// `podcast` belongs to.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn podcast(&self, podcast: &Podcast) -> Result<File, FeedError> {
        self.file(&podcast::FORMAT, podcast::write(self, podcast))
    }

    fn file(
        &self,
        format: &Format,
        written: Result<Vec<u8>, WriterError>,
    ) -> Result<File, FeedError> {
        let Place {
            path, media_type, ..
        } = format.at(&self.path, self.part);
        match written {
            Ok(bytes) => Ok(File {
                path,
                media_type,
                bytes,
            }),
            Err(source) => Err(FeedError::Write {
                format: format.name,
                path,
                source,
            }),
        }
    }

    /// The public URL of this document in `format`: what its self link says.
    fn address(&self, format: &Format) -> String {
        self.address_of(format, self.part)
    }

    fn address_of(&self, format: &Format, part: Part) -> String {
        entry::address(&entry::below(&self.folder, &format.place(part)))
    }

    /// Relations and addresses of the other documents of the feed's history
    /// (RFC 5005, 4.1).
    fn history(&self, format: &Format) -> Vec<(&'static str, String)> {
        let archive = |number: u32| {
            let (older, newer) = (None, None);
            let part = Part::Archive {
                number,
                older,
                newer,
            };
            self.address_of(format, part)
        };
        match self.part {
            Part::Subscription { newest } => newest
                .map(|number| ("prev-archive", archive(number)))
                .into_iter()
                .collect(),
            Part::Archive { older, newer, .. } => {
                let current = Part::Subscription { newest: None };
                let older = older.map(|number| ("prev-archive", archive(number)));
                let newer = newer.map(|number| ("next-archive", archive(number)));
                std::iter::once(("current", self.address_of(format, current)))
                    .chain(older)
                    .chain(newer)
                    .collect()
            }
        }
    }

    fn is_archive(&self) -> bool {
        matches!(self.part, Part::Archive { .. })
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

/// A file of a stream: what people call it, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Such as `Atom`.
    pub label: &'static str,
    /// Below `public/`, with `/`.
    pub path: String,
    /// Media type to serve it with.
    pub media_type: &'static str,
}

impl Format {
    /// This document of the stream with this folder.
    fn at(&self, folder: &str, part: Part) -> Place {
        Place {
            label: self.name,
            path: format!("{folder}{}", self.place(part)),
            media_type: self.media_type,
        }
    }

    /// The file of a document, below the folder of its stream.
    fn place(&self, part: Part) -> String {
        match part {
            Part::Subscription { .. } => self.file.to_owned(),
            Part::Archive { number, .. } => {
                let stem = self.file.trim_end_matches(".xml");
                format!("archive/{stem}-{number:04}.xml")
            }
        }
    }
}

/// The files that readers of a stream can subscribe to, the podcast last.
#[must_use]
pub fn files_of(stream: &Stream, collection: &Collection) -> Vec<Place> {
    let mut formats = vec![&rss::FORMAT, &atom::FORMAT, &json::FORMAT];
    formats.extend(podcast_of(stream, collection).map(|_| &podcast::FORMAT));
    let part = Part::Subscription { newest: None };
    let at = |format: &Format| format.at(&stream.path(), part);
    formats.into_iter().map(at).collect()
}

/// The files of the archive document of this number.
#[must_use]
pub fn archive_files(stream: &Stream, number: u32) -> [Place; 2] {
    let (older, newer) = (None, None);
    let part = Part::Archive {
        number,
        older,
        newer,
    };
    [&rss::FORMAT, &atom::FORMAT].map(|format| format.at(&stream.path(), part))
}

/// The namespace of RFC 5005.
const HISTORY_NAMESPACE: &str = "http://purl.org/syndication/history/1.0";

/// Whatever the writer of a format had to say; boxed because each has its own type.
type WriterError = Box<dyn Error + Send + Sync>;
