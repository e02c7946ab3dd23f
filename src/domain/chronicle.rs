//! What readers were shown over time: every article ever published, those that
//! were taken back, and the archive documents that are complete (RFC 5005, 4).
//!
//! The ledger keeps it; [`Chronicle::changes`] says what a build adds to it.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use crate::domain::{
    article::{Article, ArticleId},
    collection::{Collection, Withheld},
};

/// What the ledger knows of earlier builds.
#[derive(Debug, Clone, Default)]
pub struct Chronicle {
    /// Every article that was ever published.
    pub published: HashMap<ArticleId, Published>,
    /// Complete archive documents by the folder of their stream (empty for the
    /// whole publication, else `sections/food/`).
    pub archives: BTreeMap<String, Documents>,
}

/// An article as it was last published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its title.
    pub title: String,
    /// Where it could be read.
    pub url: String,
    /// Folders of the feeds that ever showed it, but for the whole publication's.
    pub streams: Vec<String>,
    /// Since when it is shown no more.
    pub gone_at: Option<DateTime<Utc>>,
}

impl Published {
    /// Whether there is nothing to add, now that the article is shown in these
    /// streams.
    fn says(&self, article: &Article, streams: &[String]) -> bool {
        self.gone_at.is_none()
            && self.title == article.title
            && self.url == article.url.as_str()
            && streams.iter().all(|stream| self.streams.contains(stream))
    }
}

/// An article that readers were shown and that was taken back (RFC 6721).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tombstone {
    /// Its id.
    pub id: ArticleId,
    /// When.
    pub at: DateTime<Utc>,
}

/// The complete archive documents of one stream, numbered from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    by_number: BTreeMap<u32, Vec<ArticleId>>,
    updated: HashMap<ArticleId, DateTime<Utc>>,
}

impl Documents {
    /// Adds an article to a document, with its last change at that time.
    pub fn add(&mut self, number: u32, id: ArticleId, updated: DateTime<Utc>) {
        self.by_number.entry(number).or_default().push(id.clone());
        self.updated.insert(id, updated);
    }

    /// Whether one of the documents holds it.
    #[must_use]
    pub fn contains(&self, id: &ArticleId) -> bool {
        self.updated.contains_key(id)
    }

    /// The number of the newest document.
    #[must_use]
    pub fn newest(&self) -> Option<u32> {
        self.by_number.keys().next_back().copied()
    }

    /// The numbers of the documents before and after one of them.
    #[must_use]
    pub fn around(&self, number: u32) -> (Option<u32>, Option<u32>) {
        let before = self.by_number.range(..number).next_back();
        let after = self
            .by_number
            .range((Bound::Excluded(number), Bound::Unbounded))
            .next();
        (before.map(|(n, _)| *n), after.map(|(n, _)| *n))
    }

    /// Every document with the ids it was completed with.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[ArticleId])> {
        self.by_number.iter().map(|(n, ids)| (*n, ids.as_slice()))
    }

    /// An archived article's last change when its document was completed.
    #[must_use]
    pub fn updated(&self, id: &ArticleId) -> Option<DateTime<Utc>> {
        self.updated.get(id).copied()
    }

    fn forget(&mut self, id: &ArticleId) {
        if self.updated.remove(id).is_some() {
            self.by_number.retain(|_, ids| {
                ids.retain(|other| other != id);
                !ids.is_empty()
            });
        }
    }
}

/// What a build adds to the chronicle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New articles, and those whose row says something else now.
    pub published: Vec<(ArticleId, Published)>,
    /// Articles that are back: no archive document holds them any more.
    pub returned: Vec<ArticleId>,
    /// Articles of documents that became complete.
    pub archived: Vec<Archived>,
}

/// One article of a document that became complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Folder of the stream.
    pub stream: String,
    /// Number of the document, from 1.
    pub document: u32,
    /// The article.
    pub id: ArticleId,
    /// Its last change.
    pub updated: DateTime<Utc>,
}

impl Changes {
    /// Whether the ledger has nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.published.is_empty() && self.returned.is_empty() && self.archived.is_empty()
    }
}

impl Chronicle {
    /// What publishing `collection` at `now` means for the articles that were
    /// ever published: which are new, which are gone, which are back.
    /// `streams` names the folders of the feeds that show an article.
    #[must_use]
    pub fn changes(
        &self,
        collection: &Collection,
        streams: impl Fn(&Article) -> Vec<String> + Sync,
        now: DateTime<Utc>,
    ) -> Changes {
        let news = |article: &Article| {
            let known = self.published.get(&article.id);
            let streams = streams(article);
            if known.is_some_and(|known| known.says(article, &streams)) {
                return None;
            }
            let row = published(article, known, streams);
            let was_gone = known.is_some_and(|known| known.gone_at.is_some());
            (known != Some(&row)).then(|| (article.id.clone(), row, was_gone))
        };
        // Nearly all articles are asked for nothing: on all cores.
        let news: Vec<_> = collection.articles().par_iter().filter_map(news).collect();
        let mut changes = Changes::default();
        for (id, row, was_gone) in news {
            if was_gone {
                changes.returned.push(id.clone());
            }
            changes.published.push((id, row));
        }
        let held: HashMap<&ArticleId, &Withheld> = collection
            .held_back()
            .iter()
            .map(|held| (&held.id, &held.reason))
            .collect();
        let is_missing = |(id, known): &(&ArticleId, &Published)| {
            known.gone_at.is_none() && collection.get(id).is_none()
        };
        let missing: Vec<_> = self.published.par_iter().filter(is_missing).collect();
        for (id, known) in missing {
            let at = match held.get(id) {
                // It will be there again when its time comes.
                Some(Withheld::Future(_)) => continue,
                Some(Withheld::Withdrawn(at)) => at.to_utc(),
                Some(Withheld::Draft) | None => now,
            };
            let row = Published {
                gone_at: Some(at),
                ..known.clone()
            };
            changes.published.push((id.clone(), row));
        }
        changes.published.sort_by(|a, b| a.0.cmp(&b.0));
        changes
    }

    /// Takes the changes in.
    pub fn apply(&mut self, changes: &Changes) {
        for (id, row) in &changes.published {
            self.published.insert(id.clone(), row.clone());
        }
        for id in &changes.returned {
            for documents in self.archives.values_mut() {
                documents.forget(id);
            }
        }
        for one in &changes.archived {
            let documents = self.archives.entry(one.stream.clone()).or_default();
            documents.add(one.document, one.id.clone(), one.updated);
        }
    }

    /// What was taken back, newest first, by the folder of each stream that
    /// ever showed it; the whole publication's is empty.
    #[must_use]
    pub fn tombstones(&self) -> HashMap<&str, Vec<Tombstone>> {
        let mut stones: HashMap<&str, Vec<Tombstone>> = HashMap::new();
        for (id, row) in &self.published {
            let Some(at) = row.gone_at else {
                continue;
            };
            let streams = row.streams.iter().map(String::as_str);
            for stream in std::iter::once("").chain(streams) {
                let id = id.clone();
                stones.entry(stream).or_default().push(Tombstone { id, at });
            }
        }
        for list in stones.values_mut() {
            list.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        }
        stones
    }
}

/// The row of an article that is shown now.
fn published(article: &Article, known: Option<&Published>, streams: Vec<String>) -> Published {
    let mut all = known.map_or_else(Vec::new, |known| known.streams.clone());
    for stream in streams {
        if !all.contains(&stream) {
            all.push(stream);
        }
    }
    Published {
        title: article.title.clone(),
        url: article.url.to_string(),
        streams: all,
        gone_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::collection::HeldBack;

    fn now() -> DateTime<Utc> {
        "2026-11-27T06:00:00Z".parse().unwrap()
    }

    fn held(article: &Article, reason: Withheld) -> HeldBack {
        HeldBack {
            id: article.id.clone(),
            source: article.source.clone(),
            title: article.title.clone(),
            reason,
        }
    }

    fn no_streams(_: &Article) -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn what_was_shown_and_is_not_any_more_is_gone_unless_it_only_waits() {
        let [kept, removed, draft, waiting, withdrawn] =
            ["kept", "removed", "draft", "waiting", "withdrawn"]
                .map(|slug| Article::sample(slug, 1, "A"));
        let all = [&kept, &removed, &draft, &waiting, &withdrawn].map(Clone::clone);
        let mut chronicle = Chronicle::default();
        let first = Collection::new(all.to_vec(), [], Vec::new());
        let changes = chronicle.changes(&first, no_streams, now());
        assert_eq!(changes.published.len(), 5);
        chronicle.apply(&changes);
        assert!(chronicle.changes(&first, no_streams, now()).is_empty());

        let at = "2026-11-20T00:00:00+02:00".parse().unwrap();
        let held_back = vec![
            held(&draft, Withheld::Draft),
            held(&waiting, Withheld::Future(at)),
            held(&withdrawn, Withheld::Withdrawn(at)),
        ];
        let second = Collection::new(vec![kept], [], held_back);
        chronicle.apply(&chronicle.changes(&second, no_streams, now()));
        let gone: Vec<(String, DateTime<Utc>)> = chronicle.tombstones()[""]
            .iter()
            .map(|stone| (stone.id.to_string(), stone.at))
            .collect();
        let named = |slug: &str, at| (format!("tag:example.org,2026:{slug}"), at);
        assert_eq!(
            gone,
            [
                named("draft", now()),
                named("removed", now()),
                named("withdrawn", at.to_utc())
            ]
        );

        let back = chronicle.changes(&first, no_streams, now());
        assert_eq!(back.returned.len(), 3);
        chronicle.apply(&back);
        assert!(chronicle.tombstones().is_empty());
    }

    #[test]
    fn a_stream_that_showed_an_article_once_is_told_that_it_is_gone() {
        let article = Article::sample("a", 1, "A");
        let collection = Collection::new(vec![article], [], Vec::new());
        let mut chronicle = Chronicle::default();
        for folder in ["tags/old/", "tags/new/"] {
            let changes = chronicle.changes(&collection, |_| vec![folder.to_owned()], now());
            chronicle.apply(&changes);
        }
        let changes = chronicle.changes(&Collection::default(), no_streams, now());
        chronicle.apply(&changes);
        let mut streams: Vec<_> = chronicle.tombstones().into_keys().collect();
        streams.sort_unstable();
        assert_eq!(streams, ["", "tags/new/", "tags/old/"]);
    }
}
