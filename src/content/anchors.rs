//! The ids of headings: one rule for the pages that carry them and for the
//! links that name them.

use std::collections::HashSet;

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
