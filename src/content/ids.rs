//! Which id an article has: written, remembered, recognised by its text, or minted.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::domain::article::{ArticleId, Remembered, Slug};

/// What is known of an article before it has an id.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    /// From the front matter.
    pub(super) written: Option<&'a ArticleId>,
    /// What the ledger remembers of this file.
    pub(super) known: Option<&'a Remembered>,
    /// See [`text_hash`]; `None` for an empty text, which recognises nothing.
    pub(super) text_hash: Option<[u8; 32]>,
    /// Local day of publication.
    pub(super) day: NaiveDate,
    /// Its slug.
    pub(super) slug: &'a Slug,
}

/// SHA-256 of the Markdown.
pub(super) fn text_hash(markdown: &str) -> [u8; 32] {
    Sha256::digest(markdown.as_bytes()).into()
}

/// The hash as the ledger keeps it.
pub(super) fn hexadecimal(hash: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

/// One id per candidate, in their order.
///
/// `is_there` says of a source file whether it exists, readable or not: only a
/// remembered file that is truly gone may hand its id to a new name.
pub(super) fn assign(
    authority: &str,
    candidates: &[Candidate<'_>],
    remembered: &[Remembered],
    is_there: impl Fn(&str) -> bool,
) -> Vec<ArticleId> {
    let mut ids: Vec<Option<&ArticleId>> = candidates
        .iter()
        .map(|c| c.written.or(c.known.map(|row| &row.id)))
        .collect();
    if ids.iter().all(Option::is_some) {
        return ids.into_iter().flatten().cloned().collect();
    }
    let mut in_use: HashSet<&ArticleId> = ids.iter().flatten().copied().collect();

    let mut gone: HashMap<&str, Vec<&Remembered>> = HashMap::new();
    for row in remembered {
        if !in_use.contains(&row.id) && !is_there(&row.source) {
            gone.entry(&row.body_hash).or_default().push(row);
        }
    }
    for rows in gone.values_mut() {
        // The first by name is taken first, from the end.
        rows.sort_by(|a, b| b.source.cmp(&a.source));
    }
    for (id, candidate) in ids.iter_mut().zip(candidates) {
        if id.is_none()
            && !gone.is_empty()
            && let Some(hash) = &candidate.text_hash
            && let Some(rows) = gone.get_mut(hexadecimal(hash).as_str())
            && let Some(renamed) = rows.pop()
        {
            *id = Some(&renamed.id);
        }
    }

    // A forgotten article's id is never given to another one.
    in_use.extend(remembered.iter().map(|row| &row.id));
    let authority: String = authority.split_whitespace().collect();
    let mut minted = HashSet::new();
    let mut mint = |candidate| {
        let id = mint(&authority, candidate, |id| {
            in_use.contains(id) || minted.contains(id)
        });
        minted.insert(id.clone());
        id
    };
    ids.into_iter()
        .zip(candidates)
        .map(|(id, candidate)| id.map_or_else(|| mint(candidate), ArticleId::clone))
        .collect()
}

/// A `tag:` URI (RFC 4151) from day and slug, with `-2`, `-3`… when taken.
fn mint(
    authority: &str,
    candidate: &Candidate<'_>,
    is_in_use: impl Fn(&ArticleId) -> bool,
) -> ArticleId {
    let base = format!("tag:{authority}:{}/{}", candidate.day, candidate.slug);
    let numbered = (2u32..).map(|n| format!("{base}-{n}"));
    std::iter::once(base.clone())
        .chain(numbered)
        .filter_map(|text| ArticleId::new(&text))
        .find(|id| !is_in_use(id))
        .expect("the authority has lost its spaces, and there are more numbers than articles")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ArticleId {
        ArticleId::new(text).unwrap()
    }

    fn row(source: &str, text: &str, hash: &str) -> Remembered {
        Remembered {
            source: source.to_owned(),
            id: id(text),
            body_hash: hexadecimal(&text_hash(hash)),
        }
    }

    fn assigned(
        files: &[(&str, Option<&str>, &str)],
        remembered: &[Remembered],
        broken: &[&str],
    ) -> Vec<String> {
        let slug: Slug = "beans".parse().unwrap();
        let written: Vec<Option<ArticleId>> = files.iter().map(|f| f.1.map(id)).collect();
        let candidates: Vec<Candidate<'_>> = files
            .iter()
            .zip(&written)
            .map(|(file, written)| Candidate {
                written: written.as_ref(),
                known: remembered.iter().find(|row| row.source == file.0),
                text_hash: Some(text_hash(file.2)).filter(|_| !file.2.is_empty()),
                day: NaiveDate::from_ymd_opt(2026, 8, 1).unwrap(),
                slug: &slug,
            })
            .collect();
        let is_there =
            |source: &str| files.iter().any(|f| f.0 == source) || broken.contains(&source);
        assign("example.org,2026", &candidates, remembered, is_there)
            .into_iter()
            .map(|id| id.to_string())
            .collect()
    }

    #[test]
    fn the_front_matter_wins_then_memory_then_minting() {
        let memory = [row("content/b.md", "tag:old", "h0")];
        let ids = assigned(
            &[
                ("content/a.md", Some("urn:mine"), "h1"),
                ("content/b.md", None, "h2"),
                ("content/c.md", None, "h3"),
            ],
            &memory,
            &[],
        );
        assert_eq!(
            ids,
            [
                "urn:mine",
                "tag:old",
                "tag:example.org,2026:2026-08-01/beans"
            ]
        );
    }

    #[test]
    fn a_renamed_file_keeps_its_id_once() {
        let memory = [row("content/old.md", "tag:old", "same")];
        let ids = assigned(
            &[
                ("content/new.md", None, "same"),
                ("content/twin.md", None, "same"),
            ],
            &memory,
            &[],
        );
        assert_eq!(ids, ["tag:old", "tag:example.org,2026:2026-08-01/beans"]);
    }

    #[test]
    fn a_copy_of_a_file_that_still_exists_gets_its_own_id() {
        let memory = [row("content/old.md", "tag:old", "same")];
        let ids = assigned(
            &[("content/copy.md", None, "same")],
            &memory,
            &["content/old.md"],
        );
        assert_eq!(ids, ["tag:example.org,2026:2026-08-01/beans"]);
    }

    #[test]
    fn an_empty_article_is_never_taken_for_a_renamed_one() {
        let memory = [row("content/old.md", "tag:old", "")];
        let ids = assigned(&[("content/new.md", None, "")], &memory, &[]);
        assert_eq!(ids, ["tag:example.org,2026:2026-08-01/beans"]);
    }

    #[test]
    fn a_minted_id_avoids_every_id_ever_used() {
        let memory = [row(
            "content/gone.md",
            "tag:example.org,2026:2026-08-01/beans",
            "h9",
        )];
        let ids = assigned(
            &[("content/a.md", None, "h1"), ("content/b.md", None, "h2")],
            &memory,
            &[],
        );
        assert_eq!(
            ids,
            [
                "tag:example.org,2026:2026-08-01/beans-2",
                "tag:example.org,2026:2026-08-01/beans-3"
            ]
        );
    }
}
