//! The ids of headings: one rule for the pages that carry them and for the
//! links that name them.

use std::{
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::OnceLock,
};

use crate::content::site::anchor_key;

/// Ids given within one article.
#[derive(Debug, Default)]
pub(super) struct HeadingIds {
    taken: HashSet<String>,
}

impl HeadingIds {
    /// The id of the next heading: its own, else its text in lower-case with
    /// hyphens, told apart by a number. `None` where nothing is left of it.
    pub(super) fn next(&mut self, own: Option<&str>, text: &str) -> Option<String> {
        let plain = match own {
            Some(own) => own.to_owned(),
            None => hyphenated(text),
        };
        if !is_sound(&plain) {
            return None;
        }
        let mut id = plain.clone();
        let mut number = 1;
        while !self.taken.insert(id.clone()) {
            id = format!("{plain}-{number}");
            number += 1;
        }
        Some(id)
    }
}

/// The places in an article that a fragment may name. Most articles are never
/// asked for theirs, so they are one text until one is.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    /// A line for each: its id alone where that makes its key, else key, tab and
    /// id. An id is empty where nobody can tell it.
    lines: String,
    index: OnceLock<HashMap<String, String>>,
}

impl Anchors {
    /// Of keys, as [`anchor_key`] writes them, and ids, in their order.
    pub(super) fn new(found: &[(String, String)]) -> Self {
        let mut lines = String::new();
        let mut seen = HashSet::new();
        for (key, id) in found {
            // Of two places with one key a link leads to the first.
            if !seen.insert(key) {
                continue;
            }
            // No sound id has white space; that of raw HTML may break no line.
            let id = if id.contains(['\n', '\t']) { "" } else { id };
            if anchor_key(id) != *key {
                lines.push_str(key);
                lines.push('\t');
            }
            lines.push_str(id);
            lines.push('\n');
        }
        Self::from_lines(lines)
    }

    /// What was kept.
    pub(super) fn from_lines(lines: String) -> Self {
        Self {
            lines,
            index: OnceLock::new(),
        }
    }

    /// All of it as one text, to be kept.
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// The id of the place with this key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let index = self.index.get_or_init(|| {
            let lines = self.lines.split_terminator('\n');
            let entry = |line: &str| match line.split_once('\t') {
                Some((key, id)) => (key.to_owned(), id.to_owned()),
                None => (anchor_key(line), line.to_owned()),
            };
            lines.map(entry).collect()
        });
        index.get(key).map(String::as_str)
    }
}

impl Hash for Anchors {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lines.hash(state);
    }
}

/// Whether an article may use this id: HTML allows it, and the page around
/// the article does not use it.
pub(super) fn is_sound(id: &str) -> bool {
    (1..=100).contains(&id.chars().count())
        && !id.contains(|c: char| c.is_whitespace() || c.is_control())
        && !id.starts_with("page-")
}

/// `What's *new* in 1.90?` → `whats-new-in-1-90`.
fn hyphenated(text: &str) -> String {
    let mut id = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '’' => {}
            c if c.is_ascii_alphanumeric() => id.push(c.to_ascii_lowercase()),
            c if c.is_alphanumeric() => id.extend(c.to_lowercase()),
            '_' => id.push('_'),
            _ if id.is_empty() || id.ends_with('-') => {}
            _ => id.push('-'),
        }
    }
    id.truncate(id.trim_end_matches('-').len());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_its_key_and_the_first_of_two_counts() {
        let found = [
            ("whatsnew", "whats-new"),
            ("own", "x"),
            ("whatsnew", "y"),
            ("日本", ""),
        ];
        let found = found.map(|(key, id)| (key.to_owned(), id.to_owned()));
        let anchors = Anchors::new(&found);
        let kept = Anchors::from_lines(anchors.lines().to_owned());
        for anchors in [anchors, kept] {
            assert_eq!(anchors.get("whatsnew"), Some("whats-new"));
            assert_eq!(anchors.get("own"), Some("x"));
            assert_eq!(anchors.get("日本"), Some(""));
            assert_eq!(anchors.get("x"), None);
        }
    }

    #[test]
    fn headings_of_one_name_are_told_apart() {
        let mut ids = HeadingIds::default();
        for (own, text, id) in [
            (None, "What’s new in 1.90?", Some("whats-new-in-1-90")),
            (None, "What's new, in 1.90", Some("whats-new-in-1-90-1")),
            (Some("own"), "Anything", Some("own")),
            (None, "Über Größe", Some("über-größe")),
            (None, "日本", Some("日本")),
            (None, "—", None),
            (Some("page-top"), "x", None),
        ] {
            assert_eq!(ids.next(own, text).as_deref(), id, "{text}");
        }
    }
}
