//! `letterpress.toml` as typed settings: every problem at once, each with its
//! line; unknown keys are refused.

mod bounces;
mod digests;
mod dkim;
mod findings;
mod ledger;
mod letters;
mod mailing;
mod place;
mod publishing;
mod raw;
mod relays;
pub mod secret;
mod serving;
pub mod settings;
mod theme;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::de::DeTable;
use url::Url;

pub use self::{
    bounces::parse_source, dkim::parse_selector, mailing::parse_domain, place::line_of,
    serving::parse_listen,
};
use self::{
    findings::Findings,
    raw::{Raw, RawContent, RawFeeds, RawPublication, RawTheme},
    settings::{BounceSource, Compression, MailSettings, ServeSettings, StoreSettings},
};
use crate::domain::{
    digest::Digest,
    problem::{Level, Problem},
    publication::{
        Author, ContentRules, FeedContent, FeedRules, Logo, Publication, parse_base_url,
    },
    text::one_line,
};

/// The name of the file, looked for from the current folder upwards.
pub const FILE_NAME: &str = "letterpress.toml";

/// A publication's settings, complete and valid.
#[derive(Debug)]
pub struct Config {
    /// The folder of `letterpress.toml`: paths in it are relative to this.
    pub root: PathBuf,
    /// `[publication]`.
    pub publication: Publication,
    /// The files of logo and icon, and the URLs they are published under.
    pub artwork: Vec<(PathBuf, Url)>,
    /// `content.dir`, relative to the root.
    pub content_dir: PathBuf,
    /// `[content]`.
    pub content: ContentRules,
    /// `content.compress`: the copies beside each text file that is published.
    pub compress: Vec<Compression>,
    /// `[feeds]`.
    pub feeds: FeedRules,
    /// `[[digest]]`, in the order written.
    pub digests: Vec<Digest>,
    /// `[mail]`; a publication without it has feeds only.
    pub mail: Option<MailSettings>,
    /// `bounces.source`: where bounces, complaints and readers who leave by mail
    /// come in.
    pub bounces: Option<BounceSource>,
    /// `bounces.ses_topic`: the topic of Amazon SNS whose messages `serve` takes.
    pub ses_topic: Option<String>,
    /// `bounces.postmark_secret_file`: what Postmark has to send along where it
    /// tells `serve` of bounces.
    pub postmark_secret_file: Option<PathBuf>,
    /// `bounces.hard_limit`: so many issues have to be refused because the address
    /// is bad before it is suppressed.
    pub hard_limit: u32,
    /// `[serve]`.
    pub serve: ServeSettings,
    /// `[store]`.
    pub store: StoreSettings,
    /// The section as written, for a ledger that moves elsewhere.
    pub store_section: StoreSection,
    /// `subscribers.seed_file`: loaded into a ledger that has never had a subscriber.
    pub seed_file: Option<PathBuf>,
}

/// `[store]` as it is written.
#[derive(Debug)]
pub struct StoreSection(raw::RawStore);

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file, here or in any folder above.
    #[error("there is no {FILE_NAME} in {} or any folder above it", from.display())]
    NotFound {
        /// Where the search began.
        from: PathBuf,
    },
    /// The file named with `--config` cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file has errors; warnings come along.
    #[error("the configuration has errors")]
    Invalid(Vec<Problem>),
}

/// The nearest `letterpress.toml` from `start` upwards.
///
/// # Errors
/// When there is none.
pub fn find(start: &Path) -> Result<PathBuf, ConfigError> {
    start
        .ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|path| path.is_file())
        .ok_or_else(|| ConfigError::NotFound {
            from: start.to_owned(),
        })
}

impl Config {
    /// Reads and checks a configuration file; the second part are warnings.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, has an unknown key, or a value
    /// that cannot be used; then every problem found comes with the error.
    pub fn load(path: &Path) -> Result<(Self, Vec<Problem>), ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let root = std::path::absolute(folder.unwrap_or(Path::new("."))).map_err(|source| {
            ConfigError::Read {
                path: path.to_owned(),
                source,
            }
        })?;
        let name = path.file_name().map_or_else(|| path.into(), PathBuf::from);
        Self::parse(&text, name, root)
    }

    fn parse(
        text: &str,
        name: PathBuf,
        root: PathBuf,
    ) -> Result<(Self, Vec<Problem>), ConfigError> {
        let mut findings = Findings::new(name, text);
        let raw = read_raw(text, &mut findings)
            .ok_or_else(|| ConfigError::Invalid(findings.problems()))?;
        let (publication, artwork, content_dir) = publication(
            raw.publication,
            &raw.content,
            &raw.theme,
            &root,
            &mut findings,
        );
        let zone = publication.as_ref().map_or(chrono_tz::UTC, |p| p.timezone);
        let content = content_rules(&raw.content, &mut findings);
        let compress = publishing::compressions(&raw.content, &mut findings);
        let feeds = feed_rules(&raw.feeds, &mut findings);
        let store = ledger::store(&raw.store, &root, &mut findings);
        let bounces = bounces::check(&raw.bounces, &root, &mut findings);
        let ses_topic = bounces::topic(&raw.bounces, &mut findings);
        let hard_limit = bounces::hard_limit(&raw.bounces, &mut findings).unwrap_or(1);
        let serve = serving::check(&raw.serve, &mut findings);
        let mail = raw.mail.and_then(|mail| {
            mailing::check(
                mail,
                &raw.bounces,
                hard_limit,
                serve.as_ref(),
                &root,
                &mut findings,
            )
        });
        let digests = digests::check(raw.digest, zone, &mut findings);
        let (Some(publication), Some(feeds), Some(store), Some(serve), false) =
            (publication, feeds, store, serve, findings.has_errors())
        else {
            return Err(ConfigError::Invalid(findings.problems()));
        };
        let config = Self {
            seed_file: raw.subscribers.seed_file.map(|file| root.join(file)),
            publication,
            artwork,
            content_dir,
            content,
            compress,
            feeds,
            digests,
            mail,
            bounces,
            ses_topic,
            postmark_secret_file: raw.bounces.postmark_secret_file.map(|file| root.join(file)),
            hard_limit,
            serve,
            store,
            store_section: StoreSection(raw.store),
            root,
        };
        Ok((config, findings.problems()))
    }

    /// What `[store]` would be with another `url`; `None` for what is none.
    #[must_use]
    pub fn store_at(&self, url: &str) -> Option<StoreSettings> {
        ledger::at(&self.store_section.0, url, &self.root)
    }

    /// The digest of this name.
    #[must_use]
    pub fn digest(&self, name: &str) -> Option<&Digest> {
        self.digests.iter().find(|d| d.name.as_str() == name)
    }
}

/// TOML syntax, unknown keys, types: `None` when a syntax or type error stands.
fn read_raw(text: &str, findings: &mut Findings) -> Option<Raw> {
    match DeTable::parse(text) {
        Ok(table) => {
            for unknown in raw::unknown_keys(table.get_ref()) {
                let place = match unknown.table.as_str() {
                    "" => "the file".to_owned(),
                    table => format!("[{table}]"),
                };
                let remedy = unknown.meant.map_or_else(
                    || "remove it; docs/configuration.md lists every key".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                findings.error(
                    unknown.offset,
                    format!("{place} has no key `{}`", unknown.key),
                    remedy,
                );
            }
        }
        Err(error) => {
            findings.toml(&error);
            return None;
        }
    }
    match toml::from_str(text) {
        Ok(raw) => Some(raw),
        Err(error) => {
            findings.toml(&error);
            None
        }
    }
}

type PublicationParts = (Option<Publication>, Vec<(PathBuf, Url)>, PathBuf);

fn publication(
    raw: Option<RawPublication>,
    content: &RawContent,
    raw_theme: &RawTheme,
    root: &Path,
    findings: &mut Findings,
) -> PublicationParts {
    let content_dir = PathBuf::from(
        content
            .dir
            .as_ref()
            .map_or("content", |dir| dir.get_ref().as_str()),
    );
    let Some(raw) = raw else {
        findings.error(
            0,
            "there is no [publication] table",
            "add one with title, base_url, language and timezone",
        );
        return (None, Vec::new(), content_dir);
    };
    let title = findings.required(raw.title.as_ref(), "publication.title");
    let base_url = findings
        .required(raw.base_url.as_ref(), "publication.base_url")
        .and_then(|text| {
            let parsed = parse_base_url(&text);
            findings.parsed(
                raw.base_url.as_ref(),
                parsed,
                "write it in full, such as `https://magazine.example.org/`",
            )
        });
    let timezone = match &raw.timezone {
        None => Some(chrono_tz::UTC),
        Some(zone) => findings.parsed(
            raw.timezone.as_ref(),
            zone.get_ref()
                .parse()
                .map_err(|_| format!("unknown time zone `{}`", zone.get_ref())),
            "use an IANA name, such as `Africa/Johannesburg`",
        ),
    };
    let (Some(title), Some(base_url), Some(timezone)) = (title, base_url, timezone) else {
        return (None, Vec::new(), content_dir);
    };
    let mut artwork = Vec::new();
    let place = Place {
        root,
        content_dir: &content_dir,
        base_url: &base_url,
    };
    let (theme, theme_artwork) = theme::check(raw_theme, &place, findings);
    let mut picture = |text: Option<&toml::Spanned<String>>, findings: &mut Findings| {
        let (file, logo) = place.measure(text?, findings)?;
        artwork.push((file, logo.url.clone()));
        Some(logo)
    };
    let logo = picture(raw.logo.as_ref(), findings);
    let icon = picture(raw.icon.as_ref(), findings);
    artwork.extend(theme_artwork);
    let publication = Publication {
        id_authority: id_authority(raw.id_authority.as_ref(), &base_url, findings),
        description: raw
            .description
            .map_or_else(|| title.clone(), |text| one_line(text.get_ref())),
        language: raw
            .language
            .map_or_else(|| "en".to_owned(), toml::Spanned::into_inner),
        authors: if raw.authors.is_empty() {
            vec![Author::named(title.clone())]
        } else {
            raw.authors
        },
        rights: raw.rights.as_deref().map(one_line),
        title,
        base_url,
        timezone,
        logo,
        icon,
        theme,
    };
    (Some(publication), artwork, content_dir)
}

/// `authority,date` for `tag:` URIs (RFC 4151 2.1).
fn id_authority(
    raw: Option<&toml::Spanned<String>>,
    base_url: &Url,
    findings: &mut Findings,
) -> String {
    let Some(text) = raw else {
        let host = base_url.host_str().unwrap_or("localhost");
        findings.warning(
            0,
            "publication.id_authority is not set, so ids depend on the host of base_url",
            format!("add `id_authority = \"{host},2026\"` and never change it"),
        );
        return format!("{host},2026");
    };
    let value = text.get_ref().trim();
    let is_sound = value.split_once(',').is_some_and(|(name, date)| {
        let date_shape = [4, 7, 10].contains(&date.len())
            && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let name_shape = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-@_".contains(&b));
        date_shape && name_shape
    });
    if !is_sound {
        findings.error(
            text.span().start,
            format!("`{value}` is no tagging authority (RFC 4151)"),
            "write a domain of yours in lower case and a date on which it was yours, such as \
             `magazine.example.org,2026`",
        );
    }
    value.to_owned()
}

/// Where artwork is looked for and published.
struct Place<'a> {
    root: &'a Path,
    content_dir: &'a Path,
    base_url: &'a Url,
}

impl Place<'_> {
    fn measure(
        &self,
        text: &toml::Spanned<String>,
        findings: &mut Findings,
    ) -> Option<(PathBuf, Logo)> {
        let file = PathBuf::from(text.get_ref());
        let below = file
            .strip_prefix(self.content_dir)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        let size = imagesize::size(self.root.join(&file));
        let size = findings.parsed(
            Some(text),
            size.map_err(|error| {
                format!("`{}` is no picture we can read: {error}", file.display())
            }),
            "name a PNG, JPEG or WebP file, relative to the folder of letterpress.toml",
        )?;
        let url = self.base_url.join(&below).ok()?;
        let pixels = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let logo = Logo {
            url,
            width: pixels(size.width),
            height: pixels(size.height),
        };
        Some((file, logo))
    }
}

fn content_rules(raw: &RawContent, findings: &mut Findings) -> ContentRules {
    let permalink = raw
        .permalink
        .as_ref()
        .map_or("/{section}/{slug}/", |text| text.get_ref().as_str())
        .to_owned();
    let mut rest = permalink.clone();
    for name in ["{section}", "{slug}", "{year}", "{month}", "{day}"] {
        rest = rest.replace(name, "");
    }
    if !permalink.starts_with('/') || !permalink.contains("{slug}") || rest.contains(['{', '}']) {
        findings.error(
            raw.permalink.as_ref().map_or(0, |text| text.span().start),
            format!("`{permalink}` is no pattern of an address"),
            "begin with `/`, contain `{slug}`, and use only {section}, {slug}, {year}, {month}, \
             {day}",
        );
    }
    ContentRules {
        permalink,
        smart_punctuation: raw.smart_punctuation,
        pages: raw.pages.unwrap_or(true),
        missing: missing(raw.missing.as_ref(), findings),
    }
}

fn missing(raw: Option<&toml::Spanned<String>>, findings: &mut Findings) -> Level {
    match raw.map(|text| text.get_ref().as_str()) {
        None | Some("error") => Level::Error,
        Some("warning") => Level::Warning,
        Some(other) => {
            let what = format!("content.missing is `{other}`");
            findings.at(raw, what, "use \"error\" or \"warning\"");
            Level::Error
        }
    }
}

fn feed_rules(raw: &RawFeeds, findings: &mut Findings) -> Option<FeedRules> {
    let content = match raw.content.as_ref().map(|text| text.get_ref().as_str()) {
        None | Some("full") => FeedContent::Full,
        Some("summary") => FeedContent::Summary,
        Some(other) => {
            let what = format!("feeds.content is `{other}`");
            findings.at(raw.content.as_ref(), what, "use \"full\" or \"summary\"");
            return None;
        }
    };
    let hub = match &raw.hub {
        None => None,
        Some(text) => Some(findings.parsed(
            raw.hub.as_ref(),
            publishing::hub_url(text.get_ref()),
            "write the hub's address in full, such as `https://hub.example.org/`",
        )?),
    };
    let entries = findings.counted(raw.entries.as_ref(), "feeds.entries", 20, 1..=10_000)?;
    let archive_size = findings.counted(
        raw.archive_size.as_ref(),
        "feeds.archive_size",
        100,
        1..=10_000,
    )?;
    Some(FeedRules {
        entries,
        content,
        hub,
        archive_size: raw.archive.unwrap_or(true).then_some(archive_size),
    })
}

/// A URL without what stands before `@`: never print a login.
fn without_login(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => {
            format!("{}…{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
