//! Which feeds a publication has, which articles each is about, and what each
//! is called.

use std::collections::BTreeSet;

use url::Url;

use crate::{
    domain::{
        article::{Article, Slug},
        collection::{Collection, Section},
        publication::{FeedRules, Publication},
    },
    feed::entry::below,
};

/// Which articles a feed is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// The whole publication.
    Whole,
    /// One section.
    Section(Slug),
}

/// Every stream that has a feed: the whole publication, then each section that
/// has articles, by slug.
#[must_use]
pub fn streams(collection: &Collection) -> Vec<Stream> {
    let sections: BTreeSet<&Slug> = collection
        .articles()
        .iter()
        .filter_map(|article| article.section.as_ref())
        .collect();
    std::iter::once(Stream::Whole)
        .chain(sections.into_iter().cloned().map(Stream::Section))
        .collect()
}

/// The articles of a stream, newest first, at most as many as the section's
/// own limit, else the rules, allow.
#[must_use]
pub fn select<'a>(
    collection: &'a Collection,
    stream: &Stream,
    rules: &FeedRules,
) -> Vec<&'a Article> {
    let limit = stream
        .section(collection)
        .and_then(|section| section.entries)
        .unwrap_or(rules.entries);
    collection
        .articles()
        .iter()
        .filter(|article| stream.takes(article))
        .take(limit)
        .collect()
}

impl Stream {
    /// The folder of the stream's feeds below `public/`: empty, or ends in `/`.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Whole => String::new(),
            Self::Section(slug) => format!("sections/{slug}/"),
        }
    }

    fn takes(&self, article: &Article) -> bool {
        match self {
            Self::Whole => true,
            Self::Section(slug) => article.section.as_ref() == Some(slug),
        }
    }

    fn section<'a>(&self, collection: &'a Collection) -> Option<&'a Section> {
        match self {
            Self::Whole => None,
            Self::Section(slug) => collection.sections().get(slug),
        }
    }

    /// A feed list shows titles side by side: a section names its publication.
    pub(super) fn title(&self, publication: &Publication, collection: &Collection) -> String {
        match self {
            Self::Whole => publication.title.clone(),
            Self::Section(slug) => {
                let section = section_title(slug, collection);
                format!("{}: {section}", publication.title)
            }
        }
    }

    pub(super) fn description<'a>(
        &self,
        publication: &'a Publication,
        collection: &'a Collection,
    ) -> &'a str {
        self.section(collection)
            .and_then(|section| section.description.as_deref())
            .unwrap_or(&publication.description)
    }

    pub(super) fn language<'a>(
        &self,
        publication: &'a Publication,
        collection: &'a Collection,
    ) -> &'a str {
        self.section(collection)
            .and_then(|section| section.language.as_deref())
            .unwrap_or(&publication.language)
    }

    pub(super) fn home_page(&self, base: &Url) -> Url {
        match self {
            Self::Whole => base.clone(),
            Self::Section(slug) => below(base, &format!("{slug}/")),
        }
    }

    /// Made of what never changes: not of the URL, not of the title.
    pub(super) fn feed_id(&self, id_authority: &str) -> String {
        let authority = id_authority.to_ascii_lowercase();
        match self {
            Self::Whole => format!("tag:{authority}:feeds/whole"),
            Self::Section(slug) => format!("tag:{authority}:feeds/sections/{slug}"),
        }
    }
}

/// What readers call a section; its slug where nobody described it.
pub(super) fn section_title(slug: &Slug, collection: &Collection) -> String {
    collection
        .sections()
        .get(slug)
        .map_or_else(|| slug.to_string(), |section| section.title.clone())
}
