//! What stands where on the site, and where a link in an article leads.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{LazyLock, OnceLock},
};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{
    content::{Source, anchors::Anchors, load::slashed, urls},
    domain::fingerprint::Fingerprint,
};

/// What is made when somebody asks for it: an edit hardly ever does.
pub(super) type Later<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// What is there already.
pub(super) fn made<T: Send + 'static>(value: T) -> Later<T> {
    LazyLock::new(Box::new(|| value))
}

/// Files, pages and addresses of one loaded publication: what links resolve
/// against, in checks and in rendering alike.
#[derive(Debug)]
pub struct Site {
    pub(super) base: Url,
    /// The content folder on disk.
    pub(super) folder: PathBuf,
    /// Content folder relative to the publication's root, with `/`.
    pub(super) dir: String,
    pub(super) smart_punctuation: bool,
    /// Markdown files by path in the content folder.
    pub(super) pages: Later<HashMap<String, Page>>,
    /// Every other file in the content folder.
    pub(super) files: HashSet<String>,
    /// Folders with an article of their own (`x/index.md`) and its address.
    pub(super) folders: Later<HashMap<String, Url>>,
    /// Paths on our host that lead somewhere, as [`path_key`] writes them; with
    /// the file that stands there, if it is one of [`Self::files`].
    pub(super) paths: Later<HashMap<String, Option<String>>>,
    /// See [`Site::fingerprint`].
    pub(super) fingerprint: OnceLock<Fingerprint>,
}

/// A Markdown file as a target of links.
#[derive(Debug, Hash)]
pub(super) struct Page {
    pub(super) url: Url,
    /// Draft or future.
    pub(super) is_held_back: bool,
    /// Places in it that a fragment may name.
    pub(super) anchors: Anchors,
    /// Generators name pictograms in headings each in their own way, so that
    /// [`Self::anchors`] cannot tell all.
    pub(super) has_pictograms: bool,
}

impl Page {
    /// Writes the fragment as this page's id: authors bring links from
    /// generators that name headings in other ways.
    fn settle_fragment(&self, url: &mut Url) {
        let id = url
            .fragment()
            .and_then(|fragment| self.anchors.get(&anchor_key(fragment)))
            .filter(|id| !id.is_empty());
        if let Some(id) = id {
            url.set_fragment(Some(id));
        }
    }
}

/// Where a link stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The Markdown file, by path in the content folder.
    pub(super) file: &'a str,
    /// Its address.
    pub(super) url: &'a Url,
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// To another site.
    Away,
    /// To an address that is not a web page: `mailto:`.
    Mail,
    /// To a Markdown file, by path in the content folder.
    Page(String),
    /// To another file in the content folder.
    File(String),
    /// To a known address of this site.
    OnSite,
    /// To an address of this site that nothing stands at; whether it was
    /// written relative to the article.
    Nowhere { is_relative: bool },
    /// To a Markdown file that does not exist.
    NoSuchPage(String),
    /// A scheme that neither feeds nor mail may carry.
    Scheme(String),
    /// No URL at all.
    Nonsense,
}

/// A link followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) lead: Lead,
    /// Absolute, ASCII; `None` where no reader may be sent.
    pub(super) url: Option<Url>,
}

impl Site {
    /// Where nothing stands yet.
    pub(super) fn empty(source: &Source<'_>) -> Self {
        Self {
            base: source.publication.base_url.clone(),
            folder: source.root.join(source.dir),
            dir: slashed(source.dir),
            smart_punctuation: source.rules.smart_punctuation,
            pages: made(HashMap::new()),
            files: HashSet::new(),
            folders: made(HashMap::new()),
            paths: made(HashMap::new()),
            fingerprint: OnceLock::new(),
        }
    }

    /// Path in the content folder of a source file relative to the root.
    pub(super) fn in_content<'a>(&self, source: &'a str) -> &'a str {
        source
            .strip_prefix(self.dir.as_str())
            .map_or(source, |rest| rest.trim_start_matches('/'))
    }

    /// The address of a file that goes with articles: beside the article whose
    /// folder it is in, else by its path in the content folder.
    pub(super) fn file_url(&self, file: &str) -> Url {
        file_url(&self.base, &self.folders, file)
    }

    /// Follows a link or picture reference of an article.
    pub(super) fn follow(&self, origin: Origin<'_>, raw: &str) -> Followed {
        let raw = raw.trim();
        if let Some(path) = raw.strip_prefix("@/") {
            return self.follow_page("", path);
        }
        match Url::parse(raw) {
            Ok(url) => self.follow_absolute(url),
            Err(url::ParseError::RelativeUrlWithoutBase) => self.follow_relative(origin, raw),
            Err(_) => Followed {
                lead: Lead::Nonsense,
                url: None,
            },
        }
    }

    fn follow_absolute(&self, url: Url) -> Followed {
        let lead = match url.scheme() {
            "http" | "https" if self.is_ours(&url) => self.lead_on_site(&url, false),
            "http" | "https" => Lead::Away,
            "mailto" => Lead::Mail,
            other => {
                let lead = Lead::Scheme(other.to_owned());
                return Followed { lead, url: None };
            }
        };
        let url = Some(urls::strict(url));
        Followed { lead, url }
    }

    fn follow_relative(&self, origin: Origin<'_>, raw: &str) -> Followed {
        let end = raw.find(['?', '#']).unwrap_or(raw.len());
        let path = &raw[..end];
        if path.is_empty() {
            let lead = Lead::Page(origin.file.to_owned());
            let mut url = origin.url.join(raw).ok();
            if let (Some(url), Some(page)) = (&mut url, self.pages.get(origin.file)) {
                page.settle_fragment(url);
            }
            return Followed {
                lead,
                url: url.map(urls::strict),
            };
        }
        let is_host = path.starts_with("//");
        let folder = match path.strip_prefix('/') {
            Some(_) => "",
            None => origin
                .file
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder),
        };
        if path.ends_with(".md") && !is_host {
            return self.follow_page(folder, raw);
        }
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        if !is_host
            && let Some(file) = joined(folder, &decoded)
            && self.files.contains(&file)
        {
            let mut url = self.file_url(&file);
            url.set_fragment(raw[end..].split_once('#').map(|(_, fragment)| fragment));
            let lead = Lead::File(file);
            return Followed {
                lead,
                url: Some(url),
            };
        }
        let base = if path.starts_with('/') {
            &self.base
        } else {
            origin.url
        };
        match base.join(raw) {
            Ok(url) => Followed {
                lead: if self.is_ours(&url) {
                    self.lead_on_site(&url, !path.starts_with('/'))
                } else {
                    Lead::Away
                },
                url: Some(urls::strict(url)),
            },
            Err(_) => Followed {
                lead: Lead::Nonsense,
                url: None,
            },
        }
    }

    /// A link to a Markdown file, relative to `folder` of the content folder.
    fn follow_page(&self, folder: &str, raw: &str) -> Followed {
        let (path, fragment) = raw.split_once('#').unwrap_or((raw, ""));
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let file = joined(folder, &decoded).unwrap_or_else(|| path.to_owned());
        let Some(page) = self.pages.get(&file) else {
            let lead = Lead::NoSuchPage(file);
            return Followed { lead, url: None };
        };
        let mut url = page.url.clone();
        if !fragment.is_empty() {
            url.set_fragment(Some(fragment));
            page.settle_fragment(&mut url);
        }
        let lead = Lead::Page(file);
        Followed {
            lead,
            url: Some(urls::strict(url)),
        }
    }

    /// Whether an absolute address leads to another site, or to something that
    /// articles, sections and files put on this one.
    #[must_use]
    pub fn is_there(&self, url: &Url) -> bool {
        let is_held_back = || self.page_at(url).is_some_and(|page| page.is_held_back);
        !self.is_ours(url) || (self.paths.contains_key(&path_key(url.path())) && !is_held_back())
    }

    /// Whether the page at an address has what its fragment names, as far as
    /// that is known.
    #[must_use]
    pub fn has_anchor(&self, url: &Url) -> bool {
        let fragment = url.fragment().map(anchor_key).unwrap_or_default();
        if fragment.is_empty() || fragment == "top" || !self.is_ours(url) {
            return true;
        }
        self.page_at(url)
            .is_none_or(|page| page.has_pictograms || page.anchors.get(&fragment).is_some())
    }

    fn page_at(&self, url: &Url) -> Option<&Page> {
        let key = path_key(url.path());
        let mut pages = self.pages.values();
        pages.find(|page| path_key(page.url.path()) == key)
    }

    fn is_ours(&self, url: &Url) -> bool {
        is_below(url, &self.base)
    }

    /// Of everything that links may depend on.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        *self.fingerprint.get_or_init(|| {
            let mut pages: Vec<_> = self.pages.iter().collect();
            let mut files: Vec<_> = self.files.iter().collect();
            let mut folders: Vec<_> = self.folders.iter().collect();
            let mut paths: Vec<_> = self.paths.iter().collect();
            pages.sort_by_key(|(file, _)| *file);
            files.sort();
            folders.sort();
            paths.sort();
            Fingerprint::of(&(self.base.as_str(), &self.dir, pages, files, folders, paths))
        })
    }

    fn lead_on_site(&self, url: &Url, is_relative: bool) -> Lead {
        match self.paths.get(&path_key(url.path())) {
            Some(Some(file)) => Lead::File(file.clone()),
            Some(None) => Lead::OnSite,
            None => Lead::Nowhere { is_relative },
        }
    }
}

/// See [`Site::file_url`].
pub(super) fn file_url(base: &Url, folders: &HashMap<String, Url>, file: &str) -> Url {
    let mut folder = file;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        if let Some(article) = folders.get(parent) {
            return urls::strict(urls::below(article, &file[parent.len() + 1..]));
        }
        folder = parent;
    }
    urls::strict(urls::below(base, file))
}

fn is_below(url: &Url, base: &Url) -> bool {
    url.host_str() == base.host_str()
        && url.port_or_known_default() == base.port_or_known_default()
        && url.path().starts_with(base.path())
}

/// Whether a link certainly leads to another site, or into a mail program.
pub(super) fn leads_away(base: &Url, raw: &str) -> bool {
    is_far_picture(base, raw) || Url::parse(raw.trim()).is_ok_and(|url| url.scheme() == "mailto")
}

/// Whether a picture certainly is on another site.
pub(super) fn is_far_picture(base: &Url, raw: &str) -> bool {
    Url::parse(raw.trim())
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && !is_below(&url, base))
}

/// A path as it is compared: decoded, without slash or `index.html` at its end.
pub(super) fn path_key(path: &str) -> String {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let path = path.strip_suffix("index.html").unwrap_or(&path);
    path.trim_matches('/').to_owned()
}

/// A fragment or heading as it is compared. Generators make ids of headings in
/// different ways, but all keep letters and digits in order.
pub(super) fn anchor_key(text: &str) -> String {
    let text = percent_decode_str(text).decode_utf8_lossy();
    let mut key = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => key.push(c.to_ascii_lowercase()),
            c if c.is_alphanumeric() => key.extend(c.to_lowercase()),
            _ => {}
        }
    }
    key
}

/// `path` seen from `folder`, without `.` and `..`; `None` when it leaves the
/// content folder.
fn joined(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A small site below `https://example.org/mag/`.
    pub(in crate::content) fn site() -> Site {
        let base = Url::parse("https://example.org/mag/").unwrap();
        let page = |path: &str, is_held_back| Page {
            url: base.join(path).unwrap(),
            is_held_back,
            anchors: Anchors::new(&[(anchor_key("What’s new?"), "whats-new".to_owned())]),
            has_pictograms: false,
        };
        Site {
            dir: "content".to_owned(),
            folder: PathBuf::from("content"),
            smart_punctuation: false,
            fingerprint: OnceLock::new(),
            pages: made(HashMap::from([
                ("food/beans.md".to_owned(), page("food/beans/", false)),
                ("food/soup/index.md".to_owned(), page("food/soup/", false)),
                ("home/plan.md".to_owned(), page("home/plan/", true)),
            ])),
            files: HashSet::from([
                "food/beans.jpg".to_owned(),
                "food/soup/pot ü.jpg".to_owned(),
            ]),
            folders: made(HashMap::from([(
                "food/soup".to_owned(),
                base.join("food/soup/").unwrap(),
            )])),
            paths: made(
                [
                    "mag",
                    "mag/food",
                    "mag/food/beans",
                    "mag/food/soup",
                    "mag/old/beans.html",
                ]
                .map(|path| (path.to_owned(), None))
                .into_iter()
                .chain([(
                    "mag/food/beans.jpg".to_owned(),
                    Some("food/beans.jpg".to_owned()),
                )])
                .collect(),
            ),
            base,
        }
    }

    #[test]
    fn every_kind_of_link_leads_where_a_reader_expects() {
        let site = site();
        let url = Url::parse("https://example.org/mag/food/beans/").unwrap();
        let origin = Origin {
            file: "food/beans.md",
            url: &url,
        };
        let page = |file: &str| Lead::Page(file.to_owned());
        let file = |file: &str| Lead::File(file.to_owned());
        let nowhere = |is_relative| Lead::Nowhere { is_relative };
        for (raw, lead, absolute) in [
            (
                "#what-s-new",
                page("food/beans.md"),
                "https://example.org/mag/food/beans/#whats-new",
            ),
            (
                "soup/index.md#x",
                page("food/soup/index.md"),
                "https://example.org/mag/food/soup/#x",
            ),
            (
                "../home/plan.md",
                page("home/plan.md"),
                "https://example.org/mag/home/plan/",
            ),
            (
                "@/food/beans.md",
                page("food/beans.md"),
                "https://example.org/mag/food/beans/",
            ),
            (
                "/food/beans.md",
                page("food/beans.md"),
                "https://example.org/mag/food/beans/",
            ),
            (
                "beans.jpg",
                file("food/beans.jpg"),
                "https://example.org/mag/food/beans.jpg",
            ),
            (
                "/food/beans.jpg",
                file("food/beans.jpg"),
                "https://example.org/mag/food/beans.jpg",
            ),
            (
                "soup/pot%20%C3%BC.jpg",
                file("food/soup/pot ü.jpg"),
                "https://example.org/mag/food/soup/pot%20%C3%BC.jpg",
            ),
            (
                "soup/pot ü.jpg",
                file("food/soup/pot ü.jpg"),
                "https://example.org/mag/food/soup/pot%20%C3%BC.jpg",
            ),
            (
                "../beans.jpg",
                file("food/beans.jpg"),
                "https://example.org/mag/food/beans.jpg",
            ),
            (
                "../soup/",
                Lead::OnSite,
                "https://example.org/mag/food/soup/",
            ),
            ("/mag/food/", Lead::OnSite, "https://example.org/mag/food/"),
            (
                "/mag/old/beans.html",
                Lead::OnSite,
                "https://example.org/mag/old/beans.html",
            ),
            (
                "/mag/none/",
                nowhere(false),
                "https://example.org/mag/none/",
            ),
            (
                "none.jpg",
                nowhere(true),
                "https://example.org/mag/food/beans/none.jpg",
            ),
            ("/elsewhere", Lead::Away, "https://example.org/elsewhere"),
            (
                "//Example.NET/ü?q=|",
                Lead::Away,
                "https://example.net/%C3%BC?q=%7C",
            ),
            ("mailto:a@example.org", Lead::Mail, "mailto:a@example.org"),
        ] {
            let followed = site.follow(origin, raw);
            assert_eq!(followed.lead, lead, "{raw}");
            assert_eq!(followed.url.unwrap().as_str(), absolute, "{raw}");
        }
    }

    #[test]
    fn a_finished_address_is_there_or_not() {
        let site = site();
        let url = |path: &str| Url::parse(path).unwrap();
        for (path, is_there, has_anchor) in [
            ("https://example.net/none/#x", true, true),
            ("https://example.org/mag/food/beans/?utm=x", true, true),
            ("https://example.org/mag/food/beans/#whats-new", true, true),
            ("https://example.org/mag/food/beans/#gone", true, false),
            ("https://example.org/mag/food/beans.jpg", true, true),
            ("https://example.org/mag/old/beans.html", true, true),
            ("https://example.org/mag/none/", false, true),
            ("https://example.org/elsewhere", true, true),
        ] {
            assert_eq!(site.is_there(&url(path)), is_there, "{path}");
            assert_eq!(site.has_anchor(&url(path)), has_anchor, "{path}");
        }
    }

    #[test]
    fn what_leads_nowhere_has_no_address() {
        let site = site();
        let url = Url::parse("https://example.org/mag/food/beans/").unwrap();
        let origin = Origin {
            file: "food/beans.md",
            url: &url,
        };
        for (raw, lead) in [
            ("none.md", Lead::NoSuchPage("food/none.md".to_owned())),
            ("javascript:alert(1)", Lead::Scheme("javascript".to_owned())),
            ("data:image/png;base64,AA", Lead::Scheme("data".to_owned())),
            ("https://[", Lead::Nonsense),
        ] {
            let followed = site.follow(origin, raw);
            assert_eq!(followed.lead, lead, "{raw}");
            assert!(followed.url.is_none());
        }
        assert_eq!(joined("food", "../../secret.jpg"), None);
    }
}
