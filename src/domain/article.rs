//! An article as published, and its body as rendered.

use std::{fmt, path::PathBuf, str::FromStr};

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::domain::{fingerprint::Fingerprint, publication::Author};

/// The permanent identity of an article: a URI that never changes once minted,
/// whatever happens to title, file, date or address (RFC 4151, RFC 4287 4.2.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArticleId(String);

impl ArticleId {
    /// Takes an id as it was written or remembered; trimmed, never empty.
    #[must_use]
    pub fn new(raw: &str) -> Option<Self> {
        let id = raw.trim();
        let sound = !id.is_empty() && !id.chars().any(|c| c.is_control() || c.is_whitespace());
        sound.then(|| Self(id.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an absolute http(s) URL (then an RSS guid may be a permalink).
    #[must_use]
    pub fn is_web_url(&self) -> bool {
        self.0.starts_with("https://") || self.0.starts_with("http://")
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name fit for paths and URLs: lower-case ASCII letters, digits, `-`, `_`
/// and `.`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Makes a slug of any text: ASCII letters and digits stay (lower-cased),
    /// common accented Latin letters lose their accent, all else becomes one `-`.
    /// `None` when nothing is left.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        use unicode_normalization::UnicodeNormalization;
        let mut slug = String::with_capacity(text.len());
        for c in text.nfd() {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                'A'..='Z' => slug.push(c.to_ascii_lowercase()),
                '.' | '_' if !slug.is_empty() => slug.push(c),
                '\'' | '’' | '\u{300}'..='\u{36F}' => {}
                'ß' => slug.push_str("ss"),
                'æ' | 'Æ' => slug.push_str("ae"),
                'ø' | 'Ø' => slug.push('o'),
                'ł' | 'Ł' => slug.push('l'),
                _ if slug.ends_with('-') || slug.is_empty() => {}
                _ => slug.push('-'),
            }
        }
        slug.truncate(slug.trim_end_matches(['-', '.', '_']).len());
        (!slug.is_empty()).then_some(Self(slug))
    }

    /// A slug for a text that has no Latin letters: `prefix` and eight digits
    /// that depend on the text only.
    #[must_use]
    pub fn hashed(prefix: &str, text: &str) -> Option<Self> {
        let hash = Sha256::digest(text.as_bytes());
        let digits = data_encoding::HEXLOWER.encode(&hash[..4]);
        Self::of(&format!("{prefix}-{digits}"))
    }

    /// This slug with `-n` at its end.
    #[must_use]
    pub fn numbered(&self, n: u32) -> Self {
        Self(format!("{}-{n}", self.0))
    }

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a slug.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` may only have lower-case letters, digits, `-`, `_` and `.`, and begins with a letter or digit"
)]
pub struct SlugError(String);

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(raw: &str) -> Result<Self, SlugError> {
        let good = raw
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.'))
            && raw.starts_with(|c: char| c.is_ascii_alphanumeric())
            && raw.len() <= 120;
        if good {
            Ok(Self(raw.to_owned()))
        } else {
            Err(SlugError(raw.to_owned()))
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag as people see it and as URLs carry it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Tag {
    /// As in URLs; two labels with one slug are one tag.
    pub slug: Slug,
    /// As written.
    pub label: String,
}

/// The kinds of picture every mail client and browser shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Hash)]
pub enum PictureType {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/webp`
    Webp,
    /// `image/gif`
    Gif,
    /// `image/avif`
    Avif,
    /// `image/svg+xml`: fine in the text of an article, not as a feed's image.
    Svg,
}

impl PictureType {
    /// The media type (RFC 2046, RFC 9649 for WebP).
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Avif => "image/avif",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// More pixels than this are in no picture that is meant for readers: one of
/// them takes hundreds of megabytes of memory wherever it is shown.
pub const MOST_PIXELS: u64 = 50_000_000;
/// More pixels than this are in no side of a picture.
pub const LONGEST_SIDE: u32 = 32_000;

/// Whether a picture of so many pixels is refused.
#[must_use]
pub fn is_too_large(width: u32, height: u32) -> bool {
    u64::from(width) * u64::from(height) > MOST_PIXELS || width.max(height) > LONGEST_SIDE
}

/// A picture that was found and measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Picture {
    /// Absolute URL under which readers fetch it.
    pub url: Url,
    /// The file it was measured from; `None` for a picture that lives on another site.
    pub file: Option<PathBuf>,
    /// What it shows, for those who cannot see it.
    pub alt: String,
    /// The line under it.
    pub caption: Option<String>,
    /// Who made it.
    pub credit: Option<String>,
    /// Pixels; 0 when the picture could not be measured (another site).
    pub width: u32,
    /// Pixels; 0 when the picture could not be measured (another site).
    pub height: u32,
    /// Size in bytes; 0 when unknown.
    pub bytes: u64,
    /// Read from the file's content, not from its name.
    pub kind: PictureType,
}

/// A file that goes with an article: audio, video, a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Enclosure {
    /// Absolute URL.
    pub url: Url,
    /// The file it was measured from, if it is ours.
    pub file: Option<PathBuf>,
    /// Size in bytes.
    pub bytes: u64,
    /// Media type, such as `audio/mpeg`.
    pub media_type: String,
    /// Length in seconds, where it is known.
    pub duration_seconds: Option<u64>,
    /// What is said in it, as a file of its own.
    pub transcript: Option<Companion>,
    /// Where its chapters begin, as a file of its own.
    pub chapters: Option<Companion>,
    /// Number of the episode, from 1.
    pub episode: Option<u32>,
    /// Number of the season, from 1.
    pub season: Option<u32>,
    /// Whether it needs the warning of explicit content, where it differs from
    /// its podcast.
    pub is_explicit: Option<bool>,
}

impl Enclosure {
    /// Whether it is something that a podcast player plays.
    #[must_use]
    pub fn is_audio_or_video(&self) -> bool {
        self.media_type.starts_with("audio/") || self.media_type.starts_with("video/")
    }
}

/// A file that goes with an enclosure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Companion {
    /// Absolute URL.
    pub url: Url,
    /// The file, if it is ours.
    pub file: Option<PathBuf>,
    /// Media type, such as `text/vtt`.
    pub media_type: String,
}

/// One published article: complete and valid when it exists.
#[derive(Debug, Clone, Hash)]
pub struct Article {
    /// Permanent; see [`ArticleId`].
    pub id: ArticleId,
    /// The file it was written in, relative to the publication's root.
    pub source: PathBuf,
    /// Last part of its address; unique in the collection per section, but for
    /// articles whose address is told apart by a date or a path of their own.
    pub slug: Slug,
    /// Where it can be read: absolute and unique.
    pub url: Url,
    /// Whether it is read on another site (`url` in the front matter).
    pub is_elsewhere: bool,
    /// The section it stands in, if any.
    pub section: Option<Slug>,
    /// The short line above the headline.
    pub kicker: Option<String>,
    /// The headline: plain text, one line.
    pub title: String,
    /// The sentence or two under the headline: plain text.
    pub standfirst: Option<String>,
    /// At least one: the article's, else the publication's.
    pub authors: Vec<Author>,
    /// In the order written, without repeats.
    pub tags: Vec<Tag>,
    /// The picture that stands for the article.
    pub hero: Option<Picture>,
    /// A file that goes with it.
    pub enclosure: Option<Box<Enclosure>>,
    /// When it was published, in the publication's zone.
    pub published: DateTime<FixedOffset>,
    /// When it was last changed for readers; not before `published`.
    pub updated: DateTime<FixedOffset>,
    /// Old paths that should lead here.
    pub aliases: Vec<String>,
    /// BCP 47 tag where it differs from the publication's.
    pub language: Option<String>,
    /// What it is about, as one line of plain text of at most 400 characters:
    /// the standfirst, else the text before `<!-- more -->`, else the first
    /// paragraph.
    pub summary: String,
    /// SHA-256 of its Markdown, which stays in the file until it is rendered.
    pub text_hash: [u8; 32],
    /// What its rendered text depends on: its Markdown, its place, and where
    /// everything is that it refers to.
    pub text: Fingerprint,
}

/// HTML that went through the allow-list sanitiser: the only HTML that
/// templates and feeds print without escaping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// Marks `html` as safe. Only `content::markdown`, right after the
    /// sanitiser ran, may call this.
    #[must_use]
    pub fn from_sanitiser(html: String) -> Self {
        Self(html)
    }

    /// The HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What Markdown became: made on demand for articles that are output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// The whole article; sanitised; every URL in it is absolute.
    pub html: SafeHtml,
    /// What stands before `<!-- more -->`, else `None`.
    pub summary_html: Option<SafeHtml>,
    /// The whole article as plain text, written from its structure and wrapped
    /// at 76 columns: headings, lists, quotes, links by number, pictures by alt.
    pub text: String,
}

/// What the ledger keeps of an article so that its id outlives its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The source file, relative to the publication's root, with `/`.
    pub source: String,
    /// The id it was given.
    pub id: ArticleId,
    /// SHA-256 of the Markdown in hexadecimal: recognises a renamed file.
    pub body_hash: String,
}

#[cfg(test)]
impl Article {
    /// An article for unit tests, published at 08:00 on a day of November 2026.
    pub(crate) fn sample(slug: &str, day: u32, author: &str) -> Self {
        let published: DateTime<FixedOffset> =
            format!("2026-11-{day:02}T08:00:00+02:00").parse().unwrap();
        Self {
            id: ArticleId::new(&format!("tag:example.org,2026:{slug}")).unwrap(),
            source: PathBuf::from(format!("content/{slug}.md")),
            slug: slug.parse().unwrap(),
            url: format!("https://example.org/{slug}/").parse().unwrap(),
            is_elsewhere: false,
            section: None,
            kicker: None,
            title: format!("About {slug}"),
            standfirst: None,
            authors: vec![Author::named(author)],
            tags: Vec::new(),
            hero: None,
            enclosure: None,
            published,
            updated: published,
            aliases: Vec::new(),
            language: None,
            summary: String::new(),
            text_hash: [0; 32],
            text: Fingerprint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_any_title() {
        for (title, slug) in [
            (
                "Exosomes explained: worth it?",
                "exosomes-explained-worth-it",
            ),
            ("Crème brûlée – the easy way…", "creme-brulee-the-easy-way"),
            ("What’s new", "whats-new"),
            ("Rust 1.90.0", "rust-1.90.0"),
        ] {
            assert_eq!(Slug::of(title).unwrap().as_str(), slug);
            assert!(Slug::from_str(slug).is_ok());
        }
        assert_eq!(Slug::of("日本"), None);
    }

    #[test]
    fn an_id_has_no_space_and_is_not_empty() {
        assert!(ArticleId::new(" tag:example.org,2026:a ").is_some());
        assert!(ArticleId::new("a b").is_none());
        assert!(ArticleId::new("").is_none());
    }
}
