//! The keys of front matter under all the names people use for them.

use url::Url;

use crate::{
    content::{
        dates::{self, Written},
        front_matter::{Entry, Node, Value},
    },
    domain::{
        article::{ArticleId, Slug, Tag},
        problem::{self, Problem},
        publication::Author,
        text::one_line,
    },
};

/// Keys that mean something here; the first of each group is ours.
const KNOWN: [&str; 35] = [
    "title",
    "date",
    "updated",
    "draft",
    "slug",
    "id",
    "description",
    "section",
    "kicker",
    "authors",
    "tags",
    "hero",
    "enclosure",
    "aliases",
    "path",
    "language",
    "published",
    "pubdate",
    "publishdate",
    "lastmod",
    "modified",
    "guid",
    "summary",
    "standfirst",
    "excerpt",
    "author",
    "categories",
    "category",
    "taxonomies",
    "image",
    "cover",
    "permalink",
    "url",
    "lang",
    "redirect_from",
];

/// Keys of other generators that change nothing here: accepted, never used.
const ELSEWHERE: [&str; 61] = [
    // Zola
    "template",
    "weight",
    "extra",
    "in_search_index",
    "render",
    "paginate_by",
    "paginate_path",
    "paginate_reversed",
    "sort_by",
    "page_template",
    "generate_feeds",
    "generate_feed",
    "redirect_to",
    "insert_anchor_links",
    "transparent",
    "in_sitemap",
    // Hugo
    "layout",
    "type",
    "toc",
    "build",
    "_build",
    "cascade",
    "linktitle",
    "keywords",
    "outputs",
    "markup",
    "menu",
    "menus",
    "sitemap",
    "headless",
    "iscjklanguage",
    "resources",
    "series",
    "params",
    "images",
    "videos",
    "audio",
    "translationkey",
    "featured",
    "showtoc",
    "tocopen",
    "math",
    "comments",
    // Jekyll
    "excerpt_separator",
    "nav_order",
    "nav_exclude",
    "parent",
    "has_children",
    "has_toc",
    "pin",
    "mermaid",
    "last_modified_at",
    "usemathjax",
    "render_with_liquid",
    "mathjax",
    "classes",
    // Eleventy
    "eleventynavigation",
    "eleventyexcludefromcollections",
    "eleventycomputed",
    "pagination",
    "templateengineoverride",
];

/// What an article's front matter says, with every value checked.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) title: String,
    pub(super) id: Option<ArticleId>,
    pub(super) slug: Option<Slug>,
    pub(super) place: Option<Place>,
    pub(super) date: Option<Written>,
    pub(super) updated: Option<(Written, u32)>,
    pub(super) is_draft: bool,
    /// Slug and the words it was made of.
    pub(super) section: Option<(Slug, String)>,
    pub(super) kicker: Option<String>,
    pub(super) standfirst: Option<String>,
    pub(super) authors: Vec<Author>,
    pub(super) tags: Vec<Tag>,
    pub(super) hero: Option<HeroField>,
    pub(super) enclosure: Option<EnclosureField>,
    pub(super) aliases: Vec<String>,
    pub(super) language: Option<String>,
    /// Line of the title, for problems that concern the article as a whole.
    pub(super) line: u32,
}

/// Where an article says it stands.
#[derive(Debug)]
pub(super) enum Place {
    /// A path of this site, without the leading `/`.
    Path(String),
    /// An absolute URL.
    Absolute(Url),
}

/// The hero picture as written.
#[derive(Debug)]
pub(super) struct HeroField {
    pub(super) src: String,
    pub(super) alt: Option<String>,
    pub(super) caption: Option<String>,
    pub(super) credit: Option<String>,
    pub(super) line: u32,
}

/// The enclosure as written.
#[derive(Debug)]
pub(super) struct EnclosureField {
    pub(super) src: String,
    pub(super) media_type: Option<String>,
    pub(super) bytes: Option<u64>,
    pub(super) duration_seconds: Option<u64>,
    pub(super) line: u32,
}

/// What an `_index.md` says about its section.
#[derive(Debug, Default)]
pub(super) struct SectionFields {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) entries: Option<usize>,
    pub(super) language: Option<String>,
}

/// Reads an article's keys. Problems go to `problems`; `None` when one of them
/// leaves no article to speak of (no title, an unusable date, id, slug or path).
pub(super) fn article(
    entries: Vec<Entry>,
    file: &std::path::Path,
    problems: &mut Vec<Problem>,
) -> Option<Fields> {
    let mut keys = Keys::new(entries, file, problems);
    let line = keys.line_of("title").unwrap_or(1);
    let title = keys.line_text(&["title"]);
    if title.is_none() && !keys.is_fatal {
        keys.fatal(
            line,
            "there is no title",
            "add `title = \"…\"` (YAML: `title: …`)",
        );
    }
    let published_flag = keys.take_bool("published");
    let fields = Fields {
        title: title.unwrap_or_default(),
        id: keys.id(),
        slug: keys.slug(),
        place: keys.place(),
        date: keys
            .date(&["date", "published", "pubdate", "publishdate"])
            .map(|(date, _)| date),
        updated: keys.date(&["updated", "lastmod", "modified"]),
        // `published: false` is how Jekyll writes a draft.
        is_draft: keys.take_bool("draft") == Some(true) || published_flag == Some(false),
        section: keys.section(),
        kicker: keys.line_text(&["kicker"]),
        standfirst: keys.line_text(&["standfirst", "description", "summary", "excerpt"]),
        authors: keys.authors(),
        tags: keys.tags(),
        hero: keys.hero(),
        enclosure: keys.enclosure(),
        aliases: keys.texts(&["aliases", "redirect_from"]),
        language: keys.language(),
        line,
    };
    (!keys.finish()).then_some(fields)
}

/// Reads a section's keys.
pub(super) fn section(
    entries: Vec<Entry>,
    file: &std::path::Path,
    problems: &mut Vec<Problem>,
) -> SectionFields {
    let mut keys = Keys::new(entries, file, problems);
    let fields = SectionFields {
        title: keys.line_text(&["title"]),
        description: keys.line_text(&["standfirst", "description", "summary"]),
        entries: keys.number("entries").and_then(|n| usize::try_from(n).ok()),
        language: keys.language(),
    };
    // An index may carry anything an article may: dates, tags, aliases.
    for name in KNOWN {
        keys.take(&[name]);
    }
    keys.finish();
    fields
}

/// The keys that were not read yet, and where findings go.
struct Keys<'a> {
    entries: Vec<Entry>,
    file: &'a std::path::Path,
    problems: &'a mut Vec<Problem>,
    is_fatal: bool,
}

impl<'a> Keys<'a> {
    fn new(entries: Vec<Entry>, file: &'a std::path::Path, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            entries,
            file,
            problems,
            is_fatal: false,
        }
    }

    fn error(&mut self, line: u32, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems
            .push(Problem::error(self.file, line, what, remedy));
    }

    fn fatal(&mut self, line: u32, what: impl Into<String>, remedy: impl Into<String>) {
        self.error(line, what, remedy);
        self.is_fatal = true;
    }

    fn line_of(&self, name: &str) -> Option<u32> {
        self.entries
            .iter()
            .find(|entry| is_named(entry, name))
            .map(|entry| entry.line)
    }

    /// Takes out every key with one of `names` (any case, as Hugo reads them)
    /// and returns the one that comes first in `names`. A key without a value
    /// counts as absent.
    fn take(&mut self, names: &[&str]) -> Option<Entry> {
        let mut found = None;
        for name in names {
            while let Some(at) = self.entries.iter().position(|entry| is_named(entry, name)) {
                let entry = self.entries.remove(at);
                if found.is_none() && !matches!(entry.node.value, Value::Nothing) {
                    found = Some(entry);
                }
            }
        }
        found
    }

    /// One line of plain text; `None` when absent or empty.
    fn line_text(&mut self, names: &[&str]) -> Option<String> {
        let entry = self.take(names)?;
        let text = self.text(&entry.key, entry.node)?;
        let line = one_line(&text);
        (!line.is_empty()).then_some(line)
    }

    /// A text or number, as text.
    fn text(&mut self, key: &str, node: Node) -> Option<String> {
        match node.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Nothing => None,
            Value::Date(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) => {
                self.error(
                    node.line,
                    format!("`{key}` is not a text"),
                    format!("put it in quotes: `{key} = \"…\"` (YAML: `{key}: \"…\"`)"),
                );
                None
            }
        }
    }

    /// A true or false; leaves a key that is neither, for those who read it otherwise.
    fn take_bool(&mut self, name: &str) -> Option<bool> {
        let at = self
            .entries
            .iter()
            .position(|entry| is_named(entry, name))?;
        match (&self.entries[at].node.value, name) {
            (Value::Bool(flag), _) => {
                let flag = *flag;
                self.entries.remove(at);
                Some(flag)
            }
            (_, "published") => None,
            _ => {
                let line = self.entries.remove(at).line;
                let remedy = format!("write `{name} = true` or `{name} = false`");
                self.fatal(line, format!("`{name}` is neither true nor false"), remedy);
                None
            }
        }
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let entry = self.take(&[name])?;
        let number = match &entry.node.value {
            Value::Number(text) | Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            let remedy = format!("write `{name} = 20`");
            self.error(
                entry.line,
                format!("`{name}` is not a whole number"),
                remedy,
            );
        }
        number
    }

    fn id(&mut self) -> Option<ArticleId> {
        let entry = self.take(&["id", "guid"])?;
        let raw = self.text(&entry.key, entry.node)?;
        let id = ArticleId::new(&raw);
        if id.is_none() {
            self.fatal(
                entry.line,
                format!(
                    "`{}` is not an id: it is empty or has spaces",
                    one_line(&raw)
                ),
                "write a URI such as `tag:example.org,2026:green-beans`, or remove the key",
            );
        }
        id
    }

    fn slug(&mut self) -> Option<Slug> {
        let entry = self.take(&["slug"])?;
        let raw = self.text(&entry.key, entry.node)?;
        match raw.trim().parse::<Slug>() {
            Ok(slug) => Some(slug),
            Err(error) => {
                let remedy = match Slug::of(&raw) {
                    Some(slug) => format!("write `{slug}`"),
                    None => "write a word of Latin letters and digits".to_owned(),
                };
                self.fatal(
                    entry.line,
                    format!("the slug {}", one_line(&error.to_string())),
                    remedy,
                );
                None
            }
        }
    }

    fn place(&mut self) -> Option<Place> {
        let entry = self.take(&["path", "permalink", "url"])?;
        let raw = self.text(&entry.key, entry.node)?;
        let raw = raw.trim();
        if raw.starts_with("http://") || raw.starts_with("https://") {
            if let Ok(url) = Url::parse(raw) {
                return Some(Place::Absolute(url));
            }
            let remedy =
                "write it as a browser shows it, such as `https://example.org/green-beans/`";
            self.fatal(
                entry.line,
                format!("`{}` is not a URL", one_line(raw)),
                remedy,
            );
            return None;
        }
        let path = raw.trim_start_matches('/');
        let bad_part = path
            .split('/')
            .any(|part| matches!(part, "." | "..") || part.starts_with(':') || part.contains("{{"));
        if path.is_empty()
            || bad_part
            || path.contains(['?', '#', '\\'])
            || path.chars().any(char::is_control)
        {
            self.fatal(
                entry.line,
                format!("`{}` is not the path of an article", one_line(raw)),
                "write it out, such as `2026/08/green-beans`; placeholders are not filled in here",
            );
            return None;
        }
        Some(Place::Path(path.to_owned()))
    }

    fn date(&mut self, names: &[&str]) -> Option<(Written, u32)> {
        let entry = self.take(names)?;
        let raw = match &entry.node.value {
            Value::Date(raw) | Value::Text(raw) => raw.as_str(),
            _ => "",
        };
        let written = Written::parse(raw);
        if written.is_none() {
            let what = if raw.is_empty() {
                format!("`{}` is not a date", entry.key)
            } else {
                format!("`{}` is not a date", one_line(raw))
            };
            self.fatal(entry.line, what, format!("write {}", dates::FORMS));
        }
        written.map(|written| (written, entry.line))
    }

    fn section(&mut self) -> Option<(Slug, String)> {
        let entry = self.take(&["section"])?;
        let words = one_line(&self.text("section", entry.node)?);
        let slug = Slug::of(&words);
        if slug.is_none() {
            let remedy = "write the name of the section's folder, such as `food`";
            self.fatal(entry.line, format!("`{words}` is not a section"), remedy);
        }
        slug.map(|slug| (slug, words))
    }

    fn language(&mut self) -> Option<String> {
        let line = self.line_of("language").or_else(|| self.line_of("lang"));
        let language = self.line_text(&["language", "lang"])?;
        let is_tag = language.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if is_tag {
            return Some(language);
        }
        self.error(
            line.unwrap_or(1),
            format!("`{language}` is not a language"),
            "write a tag such as `en-ZA`, `de` or `zh-Hant`",
        );
        None
    }

    /// A text, or a list of texts.
    fn texts(&mut self, names: &[&str]) -> Vec<String> {
        let Some(entry) = self.take(names) else {
            return Vec::new();
        };
        let nodes = into_list(entry.node);
        let texts = nodes
            .into_iter()
            .filter_map(|node| self.text(&entry.key, node));
        texts
            .map(|text| one_line(&text))
            .filter(|text| !text.is_empty())
            .collect()
    }

    fn authors(&mut self) -> Vec<Author> {
        let Some(entry) = self.take(&["authors", "author"]) else {
            return Vec::new();
        };
        let mut authors: Vec<Author> = Vec::new();
        for node in into_list(entry.node) {
            if let Some(author) = self.author(&entry.key, node)
                && !authors.contains(&author)
            {
                authors.push(author);
            }
        }
        authors
    }

    fn author(&mut self, key: &str, node: Node) -> Option<Author> {
        let line = node.line;
        let Value::Table(entries) = node.value else {
            let name = one_line(&self.text(key, node)?);
            return (!name.is_empty()).then(|| Author::named(name));
        };
        let [name, email, url] = self.parts(key, entries, [&["name"], &["email"], &["url", "uri"]]);
        if name.is_none() {
            self.error(line, "an author has no name", "add `name = \"…\"`");
        }
        Some(Author {
            name: name?,
            email,
            url,
        })
    }

    fn tags(&mut self) -> Vec<Tag> {
        let mut labels = Vec::new();
        if let Some(entry) = self.take(&["taxonomies"]) {
            match entry.node.value {
                Value::Table(entries) => {
                    for group in entries {
                        let nodes = into_list(group.node);
                        labels.extend(nodes.into_iter().filter_map(|n| self.text(&group.key, n)));
                    }
                }
                _ => self.error(
                    entry.line,
                    "`taxonomies` is not a table",
                    "write `[taxonomies]` and below it `tags = [\"…\"]`",
                ),
            }
        }
        for name in ["tags", "categories", "category"] {
            let Some(entry) = self.take(&[name]) else {
                continue;
            };
            match entry.node.value {
                Value::Text(list) => labels.extend(list.split(',').map(str::to_owned)),
                _ => {
                    let nodes = into_list(entry.node);
                    labels.extend(nodes.into_iter().filter_map(|node| self.text(name, node)));
                }
            }
        }
        let mut tags: Vec<Tag> = Vec::new();
        for tag in labels.iter().filter_map(|label| tag(label)) {
            if !tags.iter().any(|known| known.slug == tag.slug) {
                tags.push(tag);
            }
        }
        tags
    }

    fn hero(&mut self) -> Option<HeroField> {
        let entry = self.take(&["hero", "image", "cover"])?;
        let line = entry.line;
        if let Value::Table(entries) = entry.node.value {
            let names: [&[&str]; 4] = [
                &["src", "image", "url", "file", "path"],
                &["alt"],
                &["caption"],
                &["credit"],
            ];
            let alt_line = entries.iter().find(|e| is_named(e, "alt")).map(|e| e.line);
            let [src, alt, caption, credit] = self.parts(&entry.key, entries, names);
            if src.is_none() {
                let remedy = format!("add `src = \"picture.jpg\"` to `{}`", entry.key);
                self.error(line, format!("`{}` names no picture", entry.key), remedy);
            }
            return Some(HeroField {
                src: src?,
                alt,
                caption,
                credit,
                line: alt_line.unwrap_or(line),
            });
        }
        let src = self.text(&entry.key, entry.node)?.trim().to_owned();
        (!src.is_empty()).then_some(HeroField {
            src,
            alt: None,
            caption: None,
            credit: None,
            line,
        })
    }

    fn enclosure(&mut self) -> Option<EnclosureField> {
        let entry = self.take(&["enclosure"])?;
        let line = entry.line;
        let Value::Table(entries) = entry.node.value else {
            let src = self.text("enclosure", entry.node)?.trim().to_owned();
            return (!src.is_empty()).then_some(EnclosureField {
                src,
                media_type: None,
                bytes: None,
                duration_seconds: None,
                line,
            });
        };
        let names: [&[&str]; 4] = [
            &["url", "file", "src"],
            &["type"],
            &["length"],
            &["duration"],
        ];
        let [src, media_type, length, duration] = self.parts("enclosure", entries, names);
        if src.is_none() {
            let remedy = "add `file = \"talk.mp3\"` or `url = \"https://…\"`";
            self.error(line, "`enclosure` names no file", remedy);
        }
        let bytes = length.as_deref().and_then(|text| text.parse().ok());
        if length.is_some() && bytes.is_none() {
            self.error(
                line,
                "the enclosure's `length` is no number of bytes",
                "write `length = 1048576`",
            );
        }
        let duration_seconds = duration.as_deref().and_then(seconds);
        if duration.is_some() && duration_seconds.is_none() {
            let remedy = "write seconds, or `1:02:03`";
            self.error(
                line,
                "the enclosure's `duration` is no length of time",
                remedy,
            );
        }
        Some(EnclosureField {
            src: src?,
            media_type,
            bytes,
            duration_seconds,
            line,
        })
    }

    /// Texts of a table's keys, each under one of several names; other keys
    /// are unknown.
    fn parts<const N: usize>(
        &mut self,
        table: &str,
        entries: Vec<Entry>,
        names: [&[&str]; N],
    ) -> [Option<String>; N] {
        let mut inner = Keys::new(entries, self.file, self.problems);
        let found = names.map(|names| inner.line_text(names));
        let rest = std::mem::take(&mut inner.entries);
        for entry in rest {
            // Layout hints of Hugo themes.
            let is_hint = [
                "relative",
                "hidden",
                "hiddeninlist",
                "hiddeninsingle",
                "lqip",
                "width",
                "height",
            ];
            if !is_hint.contains(&entry.key.to_lowercase().as_str()) {
                self.unknown(&entry, &format!("{table}.{}", entry.key), names.concat());
            }
        }
        found
    }

    fn unknown(&mut self, entry: &Entry, name: &str, known: Vec<&str>) {
        let remedy = match problem::suggestion(&entry.key.to_lowercase(), known) {
            Some(likely) => format!("did you mean `{likely}`?"),
            None => "remove it, or put it under `[extra]`, which is not read".to_owned(),
        };
        self.error(
            entry.line,
            format!("unknown key `{}`", one_line(name)),
            remedy,
        );
    }

    /// Reports what nobody asked for; true when there is no article to speak of.
    fn finish(mut self) -> bool {
        for entry in std::mem::take(&mut self.entries) {
            if !ELSEWHERE.contains(&entry.key.to_lowercase().as_str()) {
                self.unknown(&entry, &entry.key, KNOWN.to_vec());
            }
        }
        self.is_fatal
    }
}

fn is_named(entry: &Entry, name: &str) -> bool {
    entry.key.eq_ignore_ascii_case(name)
}

fn into_list(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(nodes) => nodes,
        Value::Nothing => Vec::new(),
        _ => vec![node],
    }
}

/// A tag of any label; a label without Latin letters gets a slug made of its hash.
fn tag(label: &str) -> Option<Tag> {
    let label = one_line(label);
    if label.is_empty() {
        return None;
    }
    let slug = Slug::of(&label).or_else(|| {
        let hash = super::ids::body_hash(&label);
        Slug::of(&format!("tag-{}", &hash[..8]))
    })?;
    Some(Tag { slug, label })
}

/// `95`, `1:35` or `0:01:35`.
fn seconds(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    (parts.len() <= 3).then(|| {
        parts.iter().fold(0u64, |sum, part| {
            sum.saturating_mul(60).saturating_add(*part)
        })
    })
}
