//! The keys of front matter: taken out one by one under all the names people
//! use for them, and what is left over reported.

use std::path::Path;

use crate::{
    content::file::front_matter::{Entry, Node, Value},
    domain::{
        problem::{self, Problem},
        text::one_line,
    },
};

/// Keys that mean something here; the first of each group is ours.
const KNOWN: [&str; 36] = [
    "title",
    "date",
    "updated",
    "draft",
    "withdrawn",
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

/// The keys that were not read yet, and where findings go.
pub(super) struct Keys<'a> {
    entries: Vec<Entry>,
    file: &'a Path,
    problems: &'a mut Vec<Problem>,
    /// Whether a problem leaves no article to speak of.
    pub(super) is_fatal: bool,
}

impl<'a> Keys<'a> {
    pub(super) fn new(entries: Vec<Entry>, file: &'a Path, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            entries,
            file,
            problems,
            is_fatal: false,
        }
    }

    pub(super) fn error(&mut self, line: u32, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems
            .push(Problem::error(self.file, line, what, remedy));
    }

    pub(super) fn fatal(&mut self, line: u32, what: impl Into<String>, remedy: impl Into<String>) {
        self.error(line, what, remedy);
        self.is_fatal = true;
    }

    pub(super) fn line_of(&self, name: &str) -> Option<u32> {
        self.entries
            .iter()
            .find(|entry| is_named(entry, name))
            .map(|entry| entry.line)
    }

    /// Takes out every key with one of `names` (any case, as Hugo reads them)
    /// and returns the one that comes first in `names`. A key without a value
    /// counts as absent.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Entry> {
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
    pub(super) fn line_text(&mut self, names: &[&str]) -> Option<String> {
        let entry = self.take(names)?;
        let text = self.text(&entry.key, entry.node)?;
        let line = one_line(&text);
        (!line.is_empty()).then_some(line)
    }

    /// A text or number, as text.
    pub(super) fn text(&mut self, key: &str, node: Node) -> Option<String> {
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
    pub(super) fn take_bool(&mut self, name: &str) -> Option<bool> {
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

    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
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

    /// A text, or a list of texts.
    pub(super) fn texts(&mut self, names: &[&str]) -> Vec<String> {
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

    /// Texts of a table's keys, each under one of several names; other keys
    /// are unknown.
    pub(super) fn parts<const N: usize>(
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

    /// The keys of a table within.
    pub(super) fn inner(&mut self, entries: Vec<Entry>) -> Keys<'_> {
        Keys::new(entries, self.file, self.problems)
    }

    /// Reports what is left of a table within.
    pub(super) fn refuse_rest(&mut self, table: &str, known: &[&str]) {
        for entry in std::mem::take(&mut self.entries) {
            self.unknown(&entry, &format!("{table}.{}", entry.key), known.to_vec());
        }
    }

    pub(super) fn unknown(&mut self, entry: &Entry, name: &str, known: Vec<&str>) {
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

    /// Takes out every key that could mean something.
    pub(super) fn take_known(&mut self) {
        for name in KNOWN {
            self.take(&[name]);
        }
    }

    /// Reports what nobody asked for; true when there is no article to speak of.
    pub(super) fn finish(mut self) -> bool {
        for entry in std::mem::take(&mut self.entries) {
            if !ELSEWHERE.contains(&entry.key.to_lowercase().as_str()) {
                self.unknown(&entry, &entry.key, KNOWN.to_vec());
            }
        }
        self.is_fatal
    }
}

pub(super) fn is_named(entry: &Entry, name: &str) -> bool {
    entry.key.eq_ignore_ascii_case(name)
}

pub(super) fn into_list(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(nodes) => nodes,
        Value::Nothing => Vec::new(),
        _ => vec![node],
    }
}
