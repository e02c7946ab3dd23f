//! The publication itself: what every feed and every issue says about who speaks.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::{problem::Level, theme::Theme};

/// A person who writes; all of them appear in every format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// The name as it should be printed.
    pub name: String,
    /// A public address, if the author has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A home page, if the author has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Author {
    /// An author known by name only.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            email: None,
            url: None,
        }
    }
}

/// What a publication is called, where it lives and who it speaks for.
#[derive(Debug, Clone, Hash)]
pub struct Publication {
    /// Its name.
    pub title: String,
    /// One sentence about it.
    pub description: String,
    /// Absolute `http(s)` URL that ends in `/`; every relative URL joins it.
    pub base_url: Url,
    /// BCP 47 tag, such as `en-ZA`.
    pub language: String,
    /// The zone of dates written without one, and of schedules.
    pub timezone: Tz,
    /// Those who speak where an article names nobody.
    pub authors: Vec<Author>,
    /// `authority,date` of the `tag:` URIs minted for articles (RFC 4151).
    pub id_authority: String,
    /// Absolute URL of the logo (at most 144 px wide), if any.
    pub logo: Option<Logo>,
    /// Absolute URL of the square icon, if any.
    pub icon: Option<Logo>,
    /// The line about rights, if any.
    pub rights: Option<String>,
    /// How letters and pages look.
    pub theme: Theme,
}

impl Publication {
    /// The file below the output folder that is served at `url`: decoded, and
    /// `index.html` where the URL ends in a slash. `None` for a URL that does
    /// not lie below the base URL or is no plain path.
    #[must_use]
    pub fn file_at(&self, url: &Url) -> Option<String> {
        let below = url.path().strip_prefix(self.base_url.path())?;
        if url.origin() != self.base_url.origin() {
            return None;
        }
        let path = percent_encoding::percent_decode_str(below)
            .decode_utf8()
            .ok()?;
        plain_file(&path)
    }
}

/// `food/beans/` as `food/beans/index.html`; `None` for a path that could
/// leave its folder.
#[must_use]
pub fn plain_file(path: &str) -> Option<String> {
    let is_plain = path
        .trim_end_matches('/')
        .split('/')
        .all(|part| !matches!(part, "." | "..") && !part.contains(['\\', '\0']))
        && !path.contains("//")
        && !path.starts_with('/');
    if !is_plain {
        return None;
    }
    Some(if path.is_empty() || path.ends_with('/') {
        format!("{path}index.html")
    } else {
        path.to_owned()
    })
}

/// Whether a file below the output folder, or a folder on the way to it, has a
/// name that feeds have there: nothing else may stand in their places.
#[must_use]
pub fn is_feed_place(file: &str) -> bool {
    file.split('/').any(|name| {
        let name = name.to_ascii_lowercase();
        let numbered = |stem: &str| {
            let rest = name.strip_prefix(stem).and_then(|n| n.strip_suffix(".xml"));
            rest.is_some_and(|n| n.len() >= 4 && n.bytes().all(|byte| byte.is_ascii_digit()))
        };
        matches!(
            name.as_str(),
            "rss.xml" | "atom.xml" | "feed.json" | "podcast.xml" | "feeds.opml"
        ) || numbered("rss-")
            || numbered("atom-")
    })
}

/// A picture that stands for the publication.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Logo {
    /// Absolute URL.
    pub url: Url,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// How articles become addresses and HTML: `[content]`.
#[derive(Debug, Clone, Hash)]
pub struct ContentRules {
    /// Pattern of an article's path, such as `/{section}/{slug}/`; also
    /// `{year}`, `{month}`, `{day}`. Begins with `/`.
    pub permalink: String,
    /// Whether straight quotes, `--` and `...` in Markdown become typographic.
    pub smart_punctuation: bool,
    /// Whether the website is made, too, or feeds and mail alone.
    pub pages: bool,
    /// How much a picture, enclosure or linked article matters that is not there.
    pub missing: Level,
}

/// How much of an article a feed carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedContent {
    /// Summary and the whole article.
    Full,
    /// Summary only.
    Summary,
}

/// How feeds are made: `[feeds]`.
#[derive(Debug, Clone, Hash)]
pub struct FeedRules {
    /// So many of the newest articles are in a feed; with archives also those
    /// that no archive document holds yet.
    pub entries: usize,
    /// Whole articles or summaries.
    pub content: FeedContent,
    /// WebSub hub that the feeds announce, if any.
    pub hub: Option<Url>,
    /// Articles in each archive document (RFC 5005, 4), at least one; `None`
    /// where older articles are left out of the feeds.
    pub archive_size: Option<usize>,
}

/// Why a base URL is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaseUrlError {
    /// No scheme or host, or not parseable at all.
    #[error("`{0}` is not an absolute URL")]
    NotAbsolute(String),
    /// Something other than http or https.
    #[error("`{0}` is not an http or https URL")]
    Scheme(String),
    /// Query, fragment or login data, which no base can carry.
    #[error("`{0}` has a query, a fragment or a login")]
    Extra(String),
}

/// Parses and normalises a base URL: lower-case host, no default port, one
/// slash at the end.
///
/// # Errors
/// When it is not an absolute http(s) URL, or carries query, fragment or login.
pub fn parse_base_url(raw: &str) -> Result<Url, BaseUrlError> {
    let mut url = Url::parse(raw.trim()).map_err(|_| BaseUrlError::NotAbsolute(raw.to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BaseUrlError::Scheme(raw.to_owned()));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(BaseUrlError::Extra(raw.to_owned()));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_normalised() {
        assert_eq!(
            parse_base_url("HTTPS://Magazine.Example.ORG:443")
                .unwrap()
                .as_str(),
            "https://magazine.example.org/"
        );
        assert_eq!(
            parse_base_url("https://example.org/mag").unwrap().as_str(),
            "https://example.org/mag/"
        );
    }

    #[test]
    fn a_base_url_without_scheme_is_refused() {
        assert!(matches!(
            parse_base_url("magazine.example.org"),
            Err(BaseUrlError::NotAbsolute(_))
        ));
        assert!(matches!(
            parse_base_url("ftp://example.org/"),
            Err(BaseUrlError::Scheme(_))
        ));
        assert!(matches!(
            parse_base_url("https://a:b@example.org/?x"),
            Err(BaseUrlError::Extra(_))
        ));
    }
}
