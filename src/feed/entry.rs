//! One article as all three formats tell it: the facts, cleaned once, so that
//! no format says less or something else.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use chrono::{DateTime, FixedOffset, SubsecRound};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{Position, Url};

use crate::{
    domain::{
        address::EmailAddress,
        article::{Article, Body, Companion, Picture},
        collection::Collection,
        publication::{Author, FeedContent},
        text::{has_byte, many_lines, one_line},
    },
    feed::stream::section_title,
};

/// One article in a feed.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// What it is about.
    pub article: &'a Article,
    body: Arc<Body>,
    content: FeedContent,
    categories: Vec<Category>,
}

/// One article in a feed, without its text, of which [`Article::text`] is the
/// fingerprint.
#[derive(Debug, Clone, Hash)]
pub struct Listed<'a> {
    /// What it is about.
    pub article: &'a Article,
    content: FeedContent,
    categories: Vec<Category>,
}

/// A tag or section: `scheme` says of which kind, `scheme` + `term` is unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Category {
    /// As in URLs.
    pub term: String,
    /// Absolute URL of the list it belongs to.
    pub scheme: String,
    /// As people see it: plain text, one line.
    pub label: String,
}

/// An author fit for every format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    /// Plain text, one line, not empty.
    pub name: String,
    /// A public address that can be sent to.
    pub email: Option<String>,
    /// An absolute web address in ASCII.
    pub url: Option<String>,
}

impl<'a> Listed<'a> {
    /// An article with the section and tags that a feed names.
    pub(super) fn new(
        article: &'a Article,
        content: FeedContent,
        categories: Vec<Category>,
    ) -> Self {
        Self {
            article,
            content,
            categories,
        }
    }

    /// The whole entry.
    pub(super) fn with_body(self, body: Arc<Body>) -> Entry<'a> {
        let Self {
            article,
            content,
            categories,
        } = self;
        Entry {
            article,
            body,
            content,
            categories,
        }
    }

    /// When it was last changed for readers, to the second.
    pub(super) fn updated(&self) -> DateTime<FixedOffset> {
        updated(self.article)
    }
}

impl<'a> Entry<'a> {
    /// The headline: plain text, one line.
    #[must_use]
    pub fn title(&self) -> String {
        line(&self.article.title)
    }

    /// Where it can be read.
    #[must_use]
    pub fn link(&self) -> String {
        address(&self.article.url)
    }

    /// What it is about in a sentence or two: plain text, one line, may be empty.
    #[must_use]
    pub fn summary(&self) -> String {
        line(&self.article.summary)
    }

    /// The whole article as HTML; `None` where the feed carries summaries only
    /// or the article has no text.
    #[must_use]
    pub fn html(&self) -> Option<Cow<'_, str>> {
        let html = match self.content {
            FeedContent::Full => clean(self.body.html.as_str()),
            FeedContent::Summary => return None,
        };
        (!html.trim().is_empty()).then_some(html)
    }

    /// Its authors, each once.
    #[must_use]
    pub fn authors(&self) -> Vec<Person> {
        Person::all(&self.article.authors)
    }

    /// Its section, then its tags, as written.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// Transcript and chapters of its enclosure.
    pub(super) fn companions(&self) -> impl Iterator<Item = &'a Companion> {
        let enclosure = self.article.enclosure.as_ref();
        enclosure.into_iter().flat_map(|enclosure| {
            let transcript = enclosure.transcript.as_ref();
            transcript.into_iter().chain(&enclosure.chapters)
        })
    }

    /// When it was published, to the second.
    #[must_use]
    pub fn published(&self) -> DateTime<FixedOffset> {
        self.article.published.trunc_subsecs(0)
    }

    /// When it was last changed for readers, to the second.
    #[must_use]
    pub fn updated(&self) -> DateTime<FixedOffset> {
        updated(self.article)
    }
}

fn updated(article: &Article) -> DateTime<FixedOffset> {
    article.updated.trunc_subsecs(0)
}

impl Person {
    /// Those of `authors` who have a name, each name once, in the order given.
    pub(super) fn all(authors: &[Author]) -> Vec<Self> {
        let mut seen = HashSet::new();
        authors
            .iter()
            .filter_map(Self::of)
            .filter(|person| seen.insert(person.name.clone()))
            .collect()
    }

    fn of(author: &Author) -> Option<Self> {
        let name = line(&author.name);
        (!name.is_empty()).then(|| Self {
            name,
            email: author
                .email
                .as_deref()
                .and_then(|raw| raw.parse::<EmailAddress>().ok())
                .map(|address| address.expose().to_owned()),
            url: author
                .url
                .as_deref()
                .and_then(|raw| Url::parse(raw.trim()).ok())
                .filter(|url| matches!(url.scheme(), "http" | "https"))
                .map(|url| address(&url)),
        })
    }
}

/// Section and tags of an article. Their schemes are the folders of
/// `public/`, so that scheme and term together lead to the list's feeds.
pub(super) fn categories(article: &Article, collection: &Collection, base: &Url) -> Vec<Category> {
    let category = |folder: &str, term: &str, label: &str| {
        let label = line(label);
        Category {
            term: term.to_owned(),
            scheme: address(&below(base, folder)),
            label: if label.is_empty() {
                term.to_owned()
            } else {
                label
            },
        }
    };
    let section = article.section.as_ref().map(|slug| {
        let label = section_title(slug, collection);
        category("sections/", slug.as_str(), &label)
    });
    let tags = article
        .tags
        .iter()
        .map(|tag| category("tags/", tag.slug.as_str(), &tag.label));
    section.into_iter().chain(tags).collect()
}

/// A hero picture as Media RSS tells it (rssboard.org/media-rss): attributes of
/// `media:content`, then its children with their text. What is unknown is left out.
pub(super) struct Media {
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) children: Vec<(&'static str, String)>,
}

pub(super) const MEDIA_NAMESPACE: &str = "http://search.yahoo.com/mrss/";

impl Media {
    pub(super) fn of(picture: &Picture) -> Self {
        let mut attributes = vec![
            ("url", address(&picture.url)),
            ("type", picture.kind.media_type().to_owned()),
            ("medium", "image".to_owned()),
        ];
        let measures = [
            ("fileSize", picture.bytes),
            ("width", u64::from(picture.width)),
            ("height", u64::from(picture.height)),
        ];
        for (name, value) in measures {
            if value > 0 {
                attributes.push((name, value.to_string()));
            }
        }
        let words = [
            ("title", picture.caption.as_deref()),
            ("description", Some(picture.alt.as_str())),
            ("credit", picture.credit.as_deref()),
        ];
        let children = words
            .into_iter()
            .filter_map(|(name, text)| Some((name, line(text?))))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        Self {
            attributes,
            children,
        }
    }
}

/// `text` as one clean line of plain text.
pub(super) fn line(text: &str) -> String {
    one_line(&clean(text))
}

/// `text` without what XML 1.0 forbids (2.2) or readers choke on: controls but
/// tab and line feed, noncharacters, and the replacement character that stands
/// for a byte lost before we saw it.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !has_byte(text, is_suspect) || text.chars().all(is_welcome) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        many_lines(text)
            .chars()
            .filter(|&c| is_welcome(c))
            .collect(),
    )
}

/// Whether an unwelcome character may have this byte in it.
fn is_suspect(byte: u8) -> bool {
    match byte {
        b'\n' | b'\t' => false,
        // C0, DEL; what begins C1, U+F000 to U+FFFF, and the planes beyond.
        0..=0x1F | 0x7F | 0xC2 | 0xEF | 0xF0..=0xFF => true,
        _ => false,
    }
}

fn is_welcome(c: char) -> bool {
    let is_noncharacter = matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE;
    matches!(c, '\n' | '\t') || !(c.is_control() || is_noncharacter || c == '\u{FFFD}')
}

/// What the URL standard leaves as it is and RFC 3986 (2) does not allow.
const NOT_IN_A_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A URL as every validator accepts it: ASCII that RFC 3986 allows.
pub(super) fn address(url: &Url) -> String {
    let before_path = &url[..Position::BeforePath];
    let path_and_query = &url[Position::BeforePath..Position::AfterQuery];
    let mut text = before_path.to_owned();
    text.extend(utf8_percent_encode(path_and_query, NOT_IN_A_URI));
    if let Some(fragment) = url.fragment() {
        const NOT_IN_A_FRAGMENT: &AsciiSet = &NOT_IN_A_URI.add(b'#');
        text.push('#');
        text.extend(utf8_percent_encode(fragment, NOT_IN_A_FRAGMENT));
    }
    text
}

/// The URL of `path` below `folder`, which ends in `/`.
pub(super) fn below(folder: &Url, path: &str) -> Url {
    folder
        .join(path)
        .expect("a relative path of slugs and slashes joins any http URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_forbids_is_gone_and_the_rest_untouched() {
        assert_eq!(
            clean("a\u{0}b\u{1B}[1m\u{FFFE}\u{FFFD}\u{9F}c\r\nd\te"),
            "ab[1mc\nd\te"
        );
        let plain = "<p>👩\u{200D}🍳 שלום\n</p>";
        assert!(matches!(clean(plain), Cow::Borrowed(text) if text == plain));
    }

    #[test]
    fn addresses_are_ascii_that_rfc_3986_allows() {
        for (raw, sent) in [
            (
                "https://EXAMPLE.org:443/crème/ä b.html?q=ü|x#é#f",
                "https://example.org/cr%C3%A8me/%C3%A4%20b.html?q=%C3%BC%7Cx#%C3%A9%23f",
            ),
            (
                "https://bücher.example.net",
                "https://xn--bcher-kva.example.net/",
            ),
            (
                "http://[2001:db8::1]/a[1]{2}",
                "http://[2001:db8::1]/a%5B1%5D%7B2%7D",
            ),
            ("https://example.org/a%20b", "https://example.org/a%20b"),
        ] {
            assert_eq!(address(&Url::parse(raw).unwrap()), sent);
        }
    }

    #[test]
    fn an_author_keeps_only_what_readers_can_use() {
        let people = Person::all(&[
            Author {
                name: "  Zoë\n Adams ".to_owned(),
                email: Some("not an address".to_owned()),
                url: Some("javascript:alert(1)".to_owned()),
            },
            Author::named("Zoë Adams"),
            Author::named(" "),
        ]);
        let [zoe] = people.as_slice() else {
            panic!("one author expected: {people:?}")
        };
        assert_eq!(zoe.name, "Zoë Adams");
        assert_eq!((&zoe.email, &zoe.url), (&None, &None));
    }
}
