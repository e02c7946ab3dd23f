//! What is kept of an article that was read: everything its file says.

use std::path::Path;

use url::Url;

use crate::{
    content::{
        anchors::Anchors,
        file::{
            ParsedArticle,
            dates::Written,
            fields::{EnclosureField, Fields, HeroField, Place},
            scan::{PictureRef, Scan},
        },
        pictures::Measure,
    },
    domain::{
        article::{ArticleId, PictureType, Slug, Tag},
        fingerprint::Fingerprint,
        publication::Author,
    },
    files::record::{Record, put_bytes, record},
};

record!(Tag { slug, label });
record!(Author { name, email, url });
record!(HeroField {
    src,
    alt,
    caption,
    credit,
    line
});
record!(EnclosureField {
    src,
    media_type,
    bytes,
    duration_seconds,
    transcript,
    chapters,
    episode,
    season,
    is_explicit,
    line,
});
record!(PictureRef { src, has_alt, line });
record!(Scan {
    links,
    pictures,
    shortcodes,
    anchors,
    has_pictograms,
    may_refer_to_more,
    depth,
});
record!(Fields {
    title,
    id,
    slug,
    place,
    date,
    updated,
    is_draft,
    withdrawn,
    section,
    kicker,
    standfirst,
    authors,
    tags,
    hero,
    enclosure,
    aliases,
    language,
    line,
});
record!(Measure {
    kind,
    width,
    height,
    bytes
});

impl Record for Anchors {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.lines(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        String::take(bytes).map(Self::from_lines)
    }
}

impl Record for Slug {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let text = String::take(bytes)?;
        // What a file name makes may be longer than what people may write.
        let made = || Self::of(&text).filter(|slug| slug.as_str() == text);
        text.parse().ok().or_else(made)
    }
}

impl Record for ArticleId {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::new(&String::take(bytes)?)
    }
}

impl Record for Place {
    fn put(&self, out: &mut Vec<u8>) {
        let (kind, text) = match self {
            Self::Path(path) => (0u8, path.as_str()),
            Self::Absolute(url) => (1, url.as_str()),
        };
        kind.put(out);
        put_bytes(text, out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match (u8::take(bytes)?, String::take(bytes)?) {
            (0, path) => Some(Self::Path(path)),
            (1, url) => Some(Self::Absolute(Url::parse(&url).ok()?)),
            _ => None,
        }
    }
}

impl Record for Written {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Instant(at) => {
                out.push(0);
                at.put(out);
            }
            Self::Local(at) => {
                out.push(1);
                at.put(out);
            }
            Self::Day(day) => {
                out.push(2);
                day.put(out);
            }
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match u8::take(bytes)? {
            0 => Record::take(bytes).map(Self::Instant),
            1 => Record::take(bytes).map(Self::Local),
            2 => Record::take(bytes).map(Self::Day),
            _ => None,
        }
    }
}

/// Kinds of picture in the order of their numbers here.
const KINDS: [PictureType; 6] = [
    PictureType::Jpeg,
    PictureType::Png,
    PictureType::Webp,
    PictureType::Gif,
    PictureType::Avif,
    PictureType::Svg,
];

impl Record for PictureType {
    fn put(&self, out: &mut Vec<u8>) {
        let number = KINDS.iter().position(|kind| kind == self);
        number.unwrap_or(KINDS.len()).put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        KINDS.get(usize::take(bytes)?).copied()
    }
}

/// An article without what its file's name says.
pub(super) fn put_article(article: &ParsedArticle, out: &mut Vec<u8>) {
    let ParsedArticle {
        file: _,
        source: _,
        fields,
        slug,
        date,
        section,
        markdown_line,
        text_hash,
        is_empty,
        summary,
        scan,
    } = article;
    fields.put(out);
    slug.put(out);
    date.put(out);
    section.put(out);
    markdown_line.put(out);
    text_hash.put(out);
    is_empty.put(out);
    summary.put(out);
    scan.put(out);
}

/// The article of a file that says what it said then; `None` when the bytes
/// are not one whole article.
pub(super) fn take_article(mut bytes: &[u8], dir: &Path, file: &str) -> Option<ParsedArticle> {
    let bytes = &mut bytes;
    let article = ParsedArticle {
        file: file.to_owned(),
        source: dir.join(file),
        fields: Record::take(bytes)?,
        slug: Record::take(bytes)?,
        date: Record::take(bytes)?,
        section: Record::take(bytes)?,
        markdown_line: Record::take(bytes)?,
        text_hash: Record::take(bytes)?,
        is_empty: Record::take(bytes)?,
        summary: Record::take(bytes)?,
        scan: Record::take(bytes)?,
    };
    bytes.is_empty().then_some(article)
}

/// Of everything in an article that may matter to others: what it is called and
/// where it stands, when it is shown and in which lists, and where links into it
/// lead. While that is the same, an edit concerns nobody else.
pub(in crate::content) fn outward(article: &ParsedArticle) -> Fingerprint {
    // Taken apart, so that a field that is new cannot be forgotten.
    let ParsedArticle {
        file: _,
        source: _,
        fields,
        slug,
        date,
        section,
        markdown_line: _,
        text_hash: _,
        is_empty,
        summary: _,
        scan,
    } = article;
    let Fields {
        title: _,
        id,
        slug: _,
        place,
        date: _,
        updated,
        is_draft,
        withdrawn,
        section: _,
        kicker: _,
        standfirst: _,
        authors,
        tags,
        hero: _,
        enclosure: _,
        aliases,
        language: _,
        line: _,
    } = fields;
    let Scan {
        links: _,
        pictures: _,
        shortcodes: _,
        anchors,
        has_pictograms,
        may_refer_to_more: _,
        depth: _,
    } = scan;
    let mut bytes = Vec::with_capacity(512);
    let out = &mut bytes;
    id.put(out);
    slug.put(out);
    place.put(out);
    date.put(out);
    updated.map(|(written, _)| written).put(out);
    is_draft.put(out);
    withdrawn.put(out);
    section.put(out);
    authors.put(out);
    tags.put(out);
    aliases.put(out);
    is_empty.put(out);
    anchors.put(out);
    has_pictograms.put(out);
    Fingerprint::of(&bytes)
}
