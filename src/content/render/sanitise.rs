//! The allow-list that article HTML passes, and every URL made absolute on the way.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

use ammonia::Builder;
use chrono::{DateTime, NaiveDate};
use url::{Position, Url};

use crate::{
    content::{
        anchors, html,
        render::model,
        site::{Lead, Origin, Site},
        urls,
    },
    domain::article::SafeHtml,
};

/// Elements that feeds and mail may carry.
const TAGS: [&str; 51] = [
    "a",
    "abbr",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
];
/// More of them; two lists only to keep each readable.
const MORE_TAGS: [&str; 11] = [
    "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr", "ruby", "rt",
];

/// Elements that go with all that is in them; what else is not allowed leaves
/// its text behind.
const GONE: [&str; 17] = [
    "script", "style", "svg", "math", "iframe", "frameset", "object", "embed", "applet", "select",
    "textarea", "template", "noscript", "noembed", "noframes", "head", "title",
];

/// Passes of the sanitiser before its result counts as unsound.
const MOST_PASSES: usize = 6;

/// Where the HTML will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::content) enum Stage {
    /// Anywhere: a feed, a mail. Every URL is absolute; ids would clash with
    /// those of others.
    Anywhere,
    /// On the article's own page: ids stay, each once, and what lies on this
    /// site is named by its path, so that a copy of the site works as well.
    OwnPage,
}

/// Cleans `html` of an article and makes each URL in it fit for its stage.
///
/// The result is a fixed point: cleaning it again changes nothing. A parser
/// repairs broken nesting in ways that a second parser may see differently,
/// which is how clean HTML turns dangerous; so broken HTML is cleaned until it
/// stays the same.
pub(in crate::content) fn clean(
    html: &str,
    site: &Arc<Site>,
    origin: Origin<'_>,
    stage: Stage,
) -> SafeHtml {
    let ids = Arc::new(Mutex::new(HashSet::new()));
    let cleaner = cleaner(site, origin, stage, &ids);
    let pass = |html: &str| {
        ids.lock().unwrap_or_else(PoisonError::into_inner).clear();
        pass(&cleaner, html, stage)
    };
    let mut cleaned = pass(html);
    for _ in 1..MOST_PASSES {
        let again = pass(&cleaned);
        if again == cleaned {
            return SafeHtml::from_sanitiser(cleaned);
        }
        cleaned = again;
    }
    // Never seen; its text is safe whatever it is.
    SafeHtml::from_sanitiser(ammonia::clean_text(&cleaned))
}

fn pass(cleaner: &Builder<'_>, html: &str, stage: Stage) -> String {
    let mut cleaned = cleaner.clean(html).to_string();
    if cleaned.contains(is_forbidden) {
        cleaned = cleaned.replace(is_forbidden, "");
    }
    model::conform(cleaned, stage)
}

/// Characters that XML 1.0 (2.2) forbids or HTML calls an error.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The cleaner owns what it resolves links with, as the library demands.
fn cleaner(
    site: &Arc<Site>,
    origin: Origin<'_>,
    stage: Stage,
    ids: &Arc<Mutex<HashSet<String>>>,
) -> Builder<'static> {
    let (site, ids) = (Arc::clone(site), Arc::clone(ids));
    let generic: &[&str] = match stage {
        Stage::Anywhere => &["lang", "dir", "title"],
        Stage::OwnPage => &["lang", "dir", "title", "id"],
    };
    let (file, url) = (origin.file.to_owned(), origin.url.clone());
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.into_iter().chain(MORE_TAGS).collect())
        .clean_content_tags(GONE.into_iter().collect())
        .generic_attributes(generic.iter().copied().collect())
        .tag_attributes(attributes())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(move |element, attribute, value| {
            let origin = Origin {
                file: &file,
                url: &url,
            };
            if attribute == "id" {
                let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
                let is_new = anchors::is_sound(value) && ids.insert(value.to_owned());
                return is_new.then_some(Cow::Borrowed(value));
            }
            let place = Place {
                site: &site,
                origin,
                stage,
            };
            place.attribute_value(element, attribute, value)
        });
    builder
}

fn attributes() -> HashMap<&'static str, HashSet<&'static str>> {
    HashMap::from([
        ("a", HashSet::from(["href"])),
        ("blockquote", HashSet::from(["cite"])),
        ("q", HashSet::from(["cite"])),
        ("del", HashSet::from(["cite", "datetime"])),
        ("ins", HashSet::from(["cite", "datetime"])),
        ("time", HashSet::from(["datetime"])),
        (
            "img",
            HashSet::from(["src", "srcset", "sizes", "alt", "width", "height"]),
        ),
        ("ol", HashSet::from(["start", "reversed"])),
        ("col", HashSet::from(["span"])),
        ("colgroup", HashSet::from(["span"])),
        ("td", HashSet::from(["colspan", "rowspan"])),
        ("th", HashSet::from(["colspan", "rowspan", "scope"])),
    ])
}

/// What an attribute's value depends on.
#[derive(Clone, Copy)]
struct Place<'a> {
    site: &'a Site,
    origin: Origin<'a>,
    stage: Stage,
}

impl Place<'_> {
    /// The value an attribute leaves with; `None` drops it.
    fn attribute_value<'v>(
        self,
        element: &str,
        attribute: &str,
        value: &'v str,
    ) -> Option<Cow<'v, str>> {
        match (element, attribute) {
            (_, "href") => self.address(value).map(Cow::Owned),
            // A picture or source by mail address is nonsense that some clients follow.
            (_, "src" | "cite") => self
                .address(value)
                .filter(|url| !url.starts_with("mailto:"))
                .map(Cow::Owned),
            (_, "srcset") => self.source_set(value).map(Cow::Owned),
            // Outlook ignores sizes with a unit, feeds want whole pixels.
            ("img", "width" | "height") => {
                let pixels = value.trim().trim_end_matches("px");
                let is_number =
                    (1..=5).contains(&pixels.len()) && pixels.bytes().all(|b| b.is_ascii_digit());
                is_number.then(|| Cow::Owned(pixels.to_owned()))
            }
            ("td" | "th" | "col" | "colgroup", "colspan" | "span") => whole(value, 1..=1_000),
            ("td" | "th", "rowspan") => whole(value, 1..=65_534),
            ("th", "scope") => matches!(value, "row" | "col" | "rowgroup" | "colgroup")
                .then_some(Cow::Borrowed(value)),
            ("ol", "start") => whole(value, -1_000_000..=1_000_000),
            ("ol", "reversed") => Some(Cow::Borrowed("")),
            (_, "datetime") => is_date(value).then_some(Cow::Borrowed(value)),
            (_, "lang") => is_language(value).then_some(Cow::Borrowed(value)),
            (_, "dir") => matches!(value, "ltr" | "rtl" | "auto").then_some(Cow::Borrowed(value)),
            _ => Some(Cow::Borrowed(value)),
        }
    }

    /// Where a reference leads, as the stage writes it.
    fn address(self, raw: &str) -> Option<String> {
        let followed = self.site.follow(self.origin, raw);
        let url = match followed.url {
            Some(url) => url,
            // A broken link to a file keeps its place on the site; the check
            // has reported it.
            None if matches!(followed.lead, Lead::NoSuchPage(_)) => {
                urls::strict(self.origin.url.join(raw).ok()?)
            }
            None => return None,
        };
        Some(match self.stage {
            Stage::Anywhere => url.into(),
            Stage::OwnPage => self.seen_from_page(&url),
        })
    }

    fn seen_from_page(self, url: &Url) -> String {
        let page = self.origin.url;
        let is_here = url[..Position::AfterQuery] == page[..Position::AfterQuery];
        match url.fragment() {
            Some(_) if is_here => url[Position::AfterQuery..].to_owned(),
            _ if url.origin() == page.origin() => url[Position::BeforePath..].to_owned(),
            _ => url.as_str().to_owned(),
        }
    }

    /// `a.jpg 1x, b.jpg 2x` with full addresses; candidates without one are
    /// left out.
    fn source_set(self, raw: &str) -> Option<String> {
        let candidates = html::candidates(raw).filter_map(|(src, descriptor)| {
            let number = descriptor.strip_suffix(['x', 'w']).unwrap_or(descriptor);
            let is_sound = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let url = self.address(src).filter(|_| !src.is_empty() && is_sound)?;
            // A comma would end the candidate.
            let url = url.replace(',', "%2C");
            Some(if descriptor.is_empty() {
                url
            } else {
                format!("{url} {descriptor}")
            })
        });
        let set: Vec<String> = candidates.collect();
        (!set.is_empty()).then(|| set.join(", "))
    }
}

/// A whole number that HTML allows here, as written.
fn whole(value: &str, allowed: RangeInclusive<i32>) -> Option<Cow<'_, str>> {
    let value = value.trim();
    let is_plain = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let number = value.parse().ok().filter(|_| is_plain)?;
    allowed.contains(&number).then_some(Cow::Borrowed(value))
}

/// A day, or a moment with its zone: of all that HTML calls a date, these are
/// the ones that `del`, `ins` and `time` share.
fn is_date(value: &str) -> bool {
    let is_day = value.len() == "2026-11-27".len() && value.parse::<NaiveDate>().is_ok();
    is_day || DateTime::parse_from_rfc3339(value).is_ok()
}

/// Whether this has the form of a language tag (RFC 5646, 2.1).
fn is_language(value: &str) -> bool {
    let mut parts = value.split('-');
    let first = parts.next().unwrap_or_default();
    let is_word = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && is_word(part))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::content::site::tests::site;

    fn cleaned(html: &str) -> String {
        staged(html, Stage::Anywhere)
    }

    fn staged(html: &str, stage: Stage) -> String {
        let site = Arc::new(site());
        let url = Url::parse("https://example.org/mag/food/beans/").unwrap();
        let origin = Origin {
            file: "food/beans.md",
            url: &url,
        };
        let once = clean(html, &site, origin, stage);
        assert_eq!(clean(once.as_str(), &site, origin, stage), once, "{html}");
        once.as_str().to_owned()
    }

    #[test]
    fn only_the_allow_list_survives() {
        for (html, left) in [
            (
                "<p onclick=x style='color:red' class=a id=b>x</p>",
                "<p>x</p>",
            ),
            ("a<script>alert(1)</script>b<style>p{}</style>", "ab"),
            ("<iframe src='https://example.org/'>x</iframe>y", "y"),
            ("<svg><title>t</title><text>x</text></svg>y", "y"),
            ("<math><mi>x</mi></math>y", "y"),
            (
                "<form action=/x><input value=v><button>Go</button><select><option>o</select></form>",
                "Go",
            ),
            ("<a href='javascript:alert(1)'>x</a>", "<a>x</a>"),
            ("<a href=' java\nscript:alert(1)'>x</a>", "<a>x</a>"),
            ("<img src='data:image/png;base64,AA' alt=a>", "a"),
            (
                "<x-widget>text</x-widget><base href=//example.net><meta x><link rel=x>",
                "text",
            ),
            ("<!-- secret --><?php x ?>y", "y"),
            (
                "<img src=a.png width=40px height=50% alt=''>",
                "<img src=\"https://example.org/mag/food/beans/a.png\" width=\"40\" alt=\"\">",
            ),
        ] {
            assert_eq!(cleaned(html), left, "{html}");
        }
    }

    #[test]
    fn every_url_is_absolute_and_ascii() {
        for (html, left) in [
            (
                "<a href='#fn1'>1</a>",
                "https://example.org/mag/food/beans/#fn1",
            ),
            (
                "<a href='soup/index.md?'>x</a>",
                "https://example.org/mag/food/beans/soup/index.md?",
            ),
            (
                "<a href='//example.net/ü x'>x</a>",
                "https://example.net/%C3%BC%20x",
            ),
            ("<a href=''>x</a>", "https://example.org/mag/food/beans/"),
            (
                "<img srcset='beans.jpg 1x, /b,c.jpg 2x, javascript:x 3x'>",
                "https://example.org/mag/food/beans.jpg 1x, https://example.org/b%2Cc.jpg 2x\"",
            ),
            (
                "<q cite='/mag/food/'>x</q>",
                "https://example.org/mag/food/",
            ),
            (
                "<a href='none.md'>x</a>",
                "https://example.org/mag/food/beans/none.md",
            ),
            (
                "<a href='https://example.net/?a=1&b=<2>'>x</a>",
                "https://example.net/?a=1&amp;b=%3C2%3E",
            ),
        ] {
            let found = cleaned(html);
            assert!(found.contains(left), "{html} became {found}");
        }
    }

    #[test]
    fn the_page_of_an_article_has_ids_and_paths() {
        for (html, left) in [
            (
                "<h2 id=a>x</h2><p id=a>y</p><p id='page-top'>z</p><p id='b c'>w</p>",
                "<h2 id=\"a\">x</h2><p>y</p><p>z</p><p>w</p>",
            ),
            ("<a href='#fn-1'>1</a>", "<a href=\"#fn-1\">1</a>"),
            (
                "<a href='https://example.org/mag/food/soup/?q#x'>s</a>",
                "<a href=\"/mag/food/soup/?q#x\">s</a>",
            ),
            (
                "<a href='https://example.net/'>s</a>",
                "<a href=\"https://example.net/\">s</a>",
            ),
            (
                "<img src='beans.jpg' alt='' srcset='beans.jpg 1x'>",
                "<img src=\"/mag/food/beans.jpg\" alt=\"\" srcset=\"/mag/food/beans.jpg 1x\">",
            ),
            ("<a href='javascript:x'>x</a>", "<a>x</a>"),
        ] {
            assert_eq!(staged(html, Stage::OwnPage), left, "{html}");
        }
    }

    #[test]
    fn broken_nesting_is_repaired_for_good() {
        for html in [
            "<p><ul><li>a</p>b",
            "<pre>\n\n\nx</pre>",
            "<table><a href=/x>y<tr><td>z</table>",
            "<a href=/x><div><a href=/y>z</div></a>",
            "<b><p>x</b>y</p>",
            "<h1><h2>x</h1>",
            "<table><caption><table><caption>x",
            "<details><summary><p>x</summary>",
            "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
            "<svg><style><img src=x onerror=alert(1)></style></svg>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<ruby>x<rt>y<rt>z",
            "AT&T &copy <x &nbsp; &#1;&#0;\u{FFFF}\u{1}",
        ] {
            let found = cleaned(html);
            assert!(!found.contains("onerror"), "{html} became {found}");
        }
        assert_eq!(cleaned("AT&T &#1;\u{FFFF}\u{B}x"), "AT&amp;T x");
    }
}
