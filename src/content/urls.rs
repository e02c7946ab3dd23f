//! Addresses: from permalink patterns and paths, as plain ASCII (RFC 3986).

use chrono::{Datelike, NaiveDate};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::domain::article::Slug;

/// Everything but what RFC 3986 3.3 allows in a path segment as it stands.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Characters that the URL standard leaves alone and RFC 3986 does not allow.
const LEFT_OVER: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path of an article by the permalink pattern, without the leading `/`.
/// Without a section the segment `{section}` drops out.
pub(super) fn by_pattern(
    pattern: &str,
    section: Option<&Slug>,
    slug: &Slug,
    day: NaiveDate,
) -> String {
    let pattern = pattern.trim_start_matches('/');
    let segments = pattern
        .split('/')
        .filter(|part| section.is_some() || *part != "{section}");
    let pattern = segments.collect::<Vec<_>>().join("/");
    pattern
        .replace("{section}", section.map_or("", Slug::as_str))
        .replace("{slug}", slug.as_str())
        .replace("{year}", &format!("{:04}", day.year()))
        .replace("{month}", &format!("{:02}", day.month()))
        .replace("{day}", &format!("{:02}", day.day()))
}

/// Whether articles of one slug differ in their addresses by date.
pub(super) fn has_date(pattern: &str) -> bool {
    ["{year}", "{month}", "{day}"]
        .iter()
        .any(|part| pattern.contains(part))
}

/// An article's own path, with the slash that ends a folder; a path that names
/// a page file keeps its end.
pub(super) fn as_page(path: &str) -> String {
    let is_file = [".html", ".htm", ".xhtml", ".php"]
        .iter()
        .any(|end| path.ends_with(end));
    if is_file || path.ends_with('/') {
        path.to_owned()
    } else {
        format!("{path}/")
    }
}

/// `path` below `base`, percent-encoded; what is encoded already stays so.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let encoded: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(|part| {
            let plain = percent_decode_str(part).decode_utf8();
            let plain = plain.as_deref().unwrap_or(part);
            utf8_percent_encode(plain, SEGMENT).to_string()
        })
        .collect();
    let mut url = base.clone();
    let folder = base
        .path()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    url.set_path(&format!("{folder}/{}", encoded.join("/")));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// A URL whose text is valid under RFC 3986, which is stricter than the URL
/// standard that browsers follow: no `|`, no brackets outside the host, no
/// stray `%`.
pub(super) fn strict(url: Url) -> Url {
    let text = url.as_str();
    let start = text.find("://").map_or(0, |at| at + 3);
    let path = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    let (head, tail) = text.split_at(path);
    let is_fine = |b: u8| !matches!(b, b'%' | b'[' | b']') && !LEFT_OVER_BYTES.contains(&b);
    if tail.bytes().all(is_fine) && tail.bytes().filter(|&b| b == b'#').count() <= 1 {
        return url;
    }
    let mut fixed = String::with_capacity(text.len() + 8);
    fixed.push_str(head);
    let bytes = tail.as_bytes();
    let fragment = tail.find('#').unwrap_or(tail.len());
    for (at, c) in tail.char_indices() {
        let is_stray = c == '%'
            && !bytes
                .get(at + 1..at + 3)
                .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        match c {
            '%' if is_stray => fixed.push_str("%25"),
            '#' if at > fragment => fixed.push_str("%23"),
            '[' => fixed.push_str("%5B"),
            ']' => fixed.push_str("%5D"),
            _ => fixed.extend(utf8_percent_encode(c.encode_utf8(&mut [0; 4]), LEFT_OVER)),
        }
    }
    Url::parse(&fixed).unwrap_or(url)
}

/// What [`LEFT_OVER`] lists, for the quick look.
const LEFT_OVER_BYTES: &[u8] = b" \"<>\\^`{|}";

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_pattern_is_filled_and_a_missing_section_drops_out() {
        let day = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();
        let slug: Slug = "beans".parse().unwrap();
        let food: Slug = "food".parse().unwrap();
        for (pattern, section, path) in [
            ("/{section}/{slug}/", Some(&food), "food/beans/"),
            ("/{section}/{slug}/", None, "beans/"),
            (
                "/{year}/{month}/{day}/{slug}.html",
                Some(&food),
                "2026/08/01/beans.html",
            ),
            ("/a/{section}-{slug}/", Some(&food), "a/food-beans/"),
        ] {
            assert_eq!(by_pattern(pattern, section, &slug, day), path);
        }
    }

    #[test]
    fn paths_become_ascii_below_the_base() {
        let base = base("https://example.org/mag/");
        for (path, url) in [
            ("food/beans/", "https://example.org/mag/food/beans/"),
            ("/a b/ü/x:y", "https://example.org/mag/a%20b/%C3%BC/x:y"),
            ("%C3%BC/100%", "https://example.org/mag/%C3%BC/100%25"),
            ("a?b#c", "https://example.org/mag/a%3Fb%23c"),
        ] {
            assert_eq!(below(&base, path).as_str(), url);
        }
    }

    #[test]
    fn what_browsers_forgive_is_encoded() {
        for (raw, url) in [
            (
                "https://Example.ORG:443/a|b[1]?q={x}%",
                "https://example.org/a%7Cb%5B1%5D?q=%7Bx%7D%25",
            ),
            (
                "https://bücher.example.net/ü",
                "https://xn--bcher-kva.example.net/%C3%BC",
            ),
            ("https://[::1]/a%20b", "https://[::1]/a%20b"),
            ("mailto:a@example.org", "mailto:a@example.org"),
            ("https://example.org/#a#b", "https://example.org/#a%23b"),
        ] {
            assert_eq!(strict(base(raw)).as_str(), url);
        }
    }

    #[test]
    fn a_page_is_a_folder_unless_it_names_a_file() {
        assert_eq!(as_page("2026/Rust-1.90"), "2026/Rust-1.90/");
        assert_eq!(as_page("a.html"), "a.html");
        assert_eq!(as_page("a/"), "a/");
    }
}
