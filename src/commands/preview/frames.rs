//! What a preview changes in pages and letters so that they can be looked at
//! here: links that stay on this machine, a chosen colour scheme, and the
//! script that reloads.

use url::Url;

use crate::web;

/// A colour scheme to show instead of the one that the reader's system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    /// Reads the word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "light" => Some(Self::Light),
            "dark" => Some(Self::Dark),
            _ => None,
        }
    }

    /// The word, as style sheets write it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Attributes that make a browser fetch something or go somewhere.
const ADDRESSES: [&str; 3] = ["href", "src", "poster"];
/// The attribute that names several files, one of which a browser fetches.
const SET: &str = " srcset=\"";

/// HTML whose addresses below `base` are paths, so that they lead here.
pub(super) fn local(html: &str, base: &Url) -> String {
    let mut local = html.to_owned();
    for name in ADDRESSES {
        let away = format!(" {name}=\"{base}");
        let here = format!(" {name}=\"{}", base.path());
        local = local.replace(&away, &here);
    }
    let mut parts = local.split(SET);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (set, rest) = part.split_at(part.find('"').unwrap_or(0));
        all.push_str(SET);
        add_local_set(&mut all, set, base);
        all.push_str(rest);
    }
    all
}

/// Adds the candidates of a `srcset` with local addresses. Each begins with its
/// address, which a comma in it does not end (HTML, 4.8.4.2.1).
fn add_local_set(html: &mut String, set: &str, base: &Url) {
    let is_between = |c: char| c.is_ascii_whitespace() || c == ',';
    let mut rest = set;
    while !rest.is_empty() {
        let (between, candidate) = split_before(rest, |c| !is_between(c));
        html.push_str(between);
        let (address, after) = split_before(candidate, |c| c.is_ascii_whitespace());
        match address.strip_prefix(base.as_str()) {
            Some(below) => {
                html.push_str(base.path());
                html.push_str(below);
            }
            None => html.push_str(address),
        }
        let has_size = !address.ends_with(',');
        let (size, next) = split_before(after, |c| c == ',' || !has_size);
        html.push_str(size);
        rest = next;
    }
}

fn split_before(text: &str, is_there: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_there).unwrap_or(text.len()))
}

/// The path of an address that lies below `base`, else the address.
pub(super) fn local_address(url: &Url, base: &Url) -> String {
    match url.as_str().strip_prefix(base.as_str()) {
        Some(rest) => format!("{}{rest}", base.path()),
        None => url.to_string(),
    }
}

/// HTML or CSS as a reader sees it whose system has this scheme, whatever the
/// system here has.
pub(super) fn in_scheme(text: &str, scheme: Scheme) -> String {
    const FEATURE: &str = "prefers-color-scheme";
    let word = scheme.as_str();
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(FEATURE) {
        let (before, after) = rest.split_at(at);
        let end = after.find(')').unwrap_or(after.len());
        let value = after[FEATURE.len()..end]
            .trim_start_matches([' ', ':'])
            .trim();
        // Always or never true, in the place of the question.
        let answer = if value == word {
            "min-width:0"
        } else {
            "max-width:0"
        };
        shown.push_str(before);
        shown.push_str(answer);
        rest = &after[end..];
    }
    shown.push_str(rest);
    for both in ["color-scheme: light dark", "color-scheme:light dark"] {
        shown = shown.replace(both, &format!("color-scheme:{word}"));
    }
    for name in ["color-scheme", "supported-color-schemes"] {
        let both = format!("name=\"{name}\" content=\"light dark\"");
        shown = shown.replace(&both, &format!("name=\"{name}\" content=\"{word}\""));
    }
    shown
}

/// A page that asks for its style sheet in this scheme, too.
pub(super) fn page_in_scheme(html: &str, scheme: Scheme) -> String {
    let marked = format!("style.css?scheme={}&amp;v=", scheme.as_str());
    in_scheme(html, scheme).replace("style.css?v=", &marked)
}

/// A page that reloads when there is another version.
pub(super) fn reloading(html: &str, version: &str) -> String {
    let script = web::script(version);
    match html.rfind("</body>") {
        Some(at) => format!("{}{script}{}", &html[..at], &html[at..]),
        None => format!("{html}{script}"),
    }
}

/// A letter in a client that has dark mode and makes its own colours, as some
/// do whatever a letter says: all are inverted, but for pictures.
pub(super) fn inverted(html: &str) -> String {
    const STYLE: &str = "<style>html{background:#fff;filter:invert(1) hue-rotate(180deg)}\
                         img{filter:invert(1) hue-rotate(180deg)}</style></head>";
    html.replacen("</head>", STYLE, 1)
}

/// A letter whose links open beside the preview, not in its frame.
pub(super) fn opening_elsewhere(html: &str) -> String {
    html.replacen("<head>", "<head><base target=\"_blank\">", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_below_the_base_lead_here_and_words_stay() {
        let base = Url::parse("https://example.org/mag/").unwrap();
        assert_eq!(
            local(
                "<a href=\"https://example.org/mag/a/\">https://example.org/mag/a/</a>\
                 <img src=\"https://example.com/mag/x.png\">",
                &base
            ),
            "<a href=\"/mag/a/\">https://example.org/mag/a/</a>\
             <img src=\"https://example.com/mag/x.png\">"
        );
    }

    #[test]
    fn every_candidate_of_a_picture_leads_here() {
        let base = Url::parse("https://example.org/mag/").unwrap();
        let shown = |set: &str| local(&format!("<img srcset=\"{set}\"> \"b\""), &base);
        for (set, here) in [
            (
                "https://example.org/mag/a.png 1x, https://example.org/mag/a@2x.png 2x",
                "/mag/a.png 1x, /mag/a@2x.png 2x",
            ),
            (
                "https://example.org/mag/a,b.png,https://example.org/mag/c.png",
                "/mag/a,b.png,https://example.org/mag/c.png",
            ),
            (
                "https://example.org/mag/a 20w,\nhttps://example.org/mag/b 40w",
                "/mag/a 20w,\n/mag/b 40w",
            ),
            (
                "https://example.org/mag/a 1x,https://example.org/mag/b 2x",
                "/mag/a 1x,/mag/b 2x",
            ),
            (
                "https://example.com/mag/a, https://example.org/mag/b",
                "https://example.com/mag/a, /mag/b",
            ),
            ("", ""),
            (", ", ", "),
        ] {
            assert_eq!(
                shown(set),
                format!("<img srcset=\"{here}\"> \"b\""),
                "{set}"
            );
        }
    }

    #[test]
    fn forced_colours_are_inverted_and_pictures_are_not() {
        let shown = inverted("<html><head><title>x</title></head><body></body></html>");
        let (head, body) = shown.split_once("</head>").unwrap();
        assert_eq!(head.matches("invert(1) hue-rotate(180deg)").count(), 2);
        assert_eq!(body, "<body></body></html>");
    }

    #[test]
    fn a_scheme_is_shown_whatever_the_system_has() {
        let css = ":root{color-scheme: light dark}@media screen and (prefers-color-scheme: dark){a{}}\
                   @media (prefers-color-scheme:light){b{}}";
        assert_eq!(
            in_scheme(css, Scheme::Dark),
            ":root{color-scheme:dark}@media screen and (min-width:0){a{}}@media (max-width:0){b{}}"
        );
        assert_eq!(
            in_scheme(css, Scheme::Light),
            ":root{color-scheme:light}@media screen and (max-width:0){a{}}@media (min-width:0){b{}}"
        );
        assert_eq!(
            in_scheme("prefers-color-scheme", Scheme::Dark),
            "max-width:0"
        );
    }
}
