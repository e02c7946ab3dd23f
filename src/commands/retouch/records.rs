//! What is kept of articles that feeds show, and of the lists they are in.

use crate::{
    domain::{
        article::{Article, Companion, Enclosure, Picture},
        chronicle::Tombstone,
        collection::{Byline, Section},
    },
    feed::Stream,
    files::record::{Record, record},
};

record!(Article {
    id,
    source,
    slug,
    url,
    is_elsewhere,
    section,
    kicker,
    title,
    standfirst,
    authors,
    tags,
    hero,
    enclosure,
    published,
    updated,
    aliases,
    language,
    summary,
    text_hash,
    text,
});
record!(Picture {
    url,
    file,
    alt,
    caption,
    credit,
    width,
    height,
    bytes,
    kind,
});
record!(Enclosure {
    url,
    file,
    bytes,
    media_type,
    duration_seconds,
    transcript,
    chapters,
    episode,
    season,
    is_explicit,
});
record!(Companion {
    url,
    file,
    media_type,
});
record!(Byline { slug, author });
record!(Tombstone { id, at });

/// A section without a podcast: nothing is kept of publications with one.
impl Record for Section {
    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            slug,
            title,
            description,
            entries,
            language,
            podcast: _,
        } = self;
        slug.put(out);
        title.put(out);
        description.put(out);
        entries.put(out);
        language.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            slug: Record::take(bytes)?,
            title: Record::take(bytes)?,
            description: Record::take(bytes)?,
            entries: Record::take(bytes)?,
            language: Record::take(bytes)?,
            podcast: None,
        })
    }
}

impl Record for Stream {
    fn put(&self, out: &mut Vec<u8>) {
        let (kind, slug) = match self {
            Self::Whole => (0u8, None),
            Self::Section(slug) => (1, Some(slug)),
            Self::Tag(slug) => (2, Some(slug)),
            Self::Author(slug) => (3, Some(slug)),
        };
        kind.put(out);
        if let Some(slug) = slug {
            slug.put(out);
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match u8::take(bytes)? {
            0 => Some(Self::Whole),
            1 => Record::take(bytes).map(Self::Section),
            2 => Record::take(bytes).map(Self::Tag),
            3 => Record::take(bytes).map(Self::Author),
            _ => None,
        }
    }
}
