//! Archived feeds (RFC 5005, 4): which articles the subscription document shows
//! and which stand in archive documents.
//!
//! An article is in exactly one of them. When a stream has `archive_size`
//! articles more than the `entries` its feed must show, its oldest ones become
//! the next archive document. From then on that document's articles are fixed
//! by the ledger, and its bytes stay as they are. So the chain of
//! `prev-archive` links, from the subscription document down, leads to every
//! article once; `next-archive` stands only where the next document was there
//! already, because adding it later would change a document.
//!
//! An article that is edited after it was archived is shown once more in the
//! subscription document, until newer articles push it out; readers know it by
//! its id. One that is withdrawn leaves its archive document, too: the one
//! change that such a document suffers, since what was taken back must not be
//! readable there for ever.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::{
    domain::{
        article::{Article, ArticleId},
        chronicle::Documents,
        collection::Collection,
        publication::FeedRules,
    },
    feed::stream::{Stream, select},
};

/// Times are kept apart by seconds where articles have the same; an edit is later.
const EDIT: TimeDelta = TimeDelta::minutes(1);

/// Where a document stands in the history of its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What readers subscribe to.
    Subscription {
        /// Number of the newest archive document, if there is one.
        newest: Option<u32>,
    },
    /// A complete archive document.
    Archive {
        /// Its number, from 1.
        number: u32,
        /// The one with older articles.
        older: Option<u32>,
        /// The one with newer articles, if it is complete.
        newer: Option<u32>,
    },
}

impl Stream {
    /// Whether its older articles go into archive documents.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        matches!(self, Self::Whole | Self::Section(_))
    }
}

/// The articles that become new archive documents, in the order of the
/// documents; mostly none. `documents` are those that are complete.
#[must_use]
pub fn complete<'a>(
    collection: &'a Collection,
    stream: &Stream,
    rules: &FeedRules,
    documents: &Documents,
) -> Vec<Vec<&'a Article>> {
    let Some(size) = rules.archive_size.filter(|_| stream.is_archived()) else {
        return Vec::new();
    };
    let mut open = stream.articles(collection);
    open.retain(|article| !documents.contains(&article.id));
    let most = stream.limit(collection, rules) + size;
    let mut new = Vec::new();
    while open.len() >= most {
        new.push(open.split_off(open.len() - size));
    }
    new
}

/// The articles of a stream's subscription document, newest first: all that no
/// archive document holds, and those of the others that were edited lately.
#[must_use]
pub fn subscription<'a>(
    collection: &'a Collection,
    stream: &Stream,
    rules: &FeedRules,
    documents: &Documents,
) -> Vec<&'a Article> {
    if rules.archive_size.is_none() || !stream.is_archived() {
        return select(collection, stream, rules);
    }
    let limit = stream.limit(collection, rules);
    let mut articles = stream.articles(collection);
    let edited = edited(&articles, limit, documents);
    let mut at = 0;
    articles.retain(|article| {
        at += 1;
        // After a raise of `entries` some of the newest are archived already.
        at <= limit || !documents.contains(&article.id) || edited.contains(&article.id)
    });
    articles
}

/// Archived articles whose last change is newer than the oldest of the newest
/// `limit` articles; at most so many.
fn edited<'a>(
    articles: &[&'a Article],
    limit: usize,
    documents: &Documents,
) -> HashSet<&'a ArticleId> {
    let Some(oldest) = articles[..limit.min(articles.len())]
        .last()
        .map(|a| a.published)
    else {
        return HashSet::new();
    };
    let mut edited: Vec<&&Article> = articles
        .iter()
        .filter(|article| {
            documents
                .updated(&article.id)
                .is_some_and(|then| article.updated > then + EDIT && article.updated >= oldest)
        })
        .collect();
    edited.sort_by_key(|article| std::cmp::Reverse(article.updated));
    edited
        .iter()
        .take(limit)
        .map(|article| &article.id)
        .collect()
}

/// The articles of an archive document that may still be shown, newest first.
#[must_use]
pub fn document<'a>(collection: &'a Collection, ids: &[ArticleId]) -> Vec<&'a Article> {
    let mut articles: Vec<&Article> = ids.iter().filter_map(|id| collection.get(id)).collect();
    articles.sort_by(|a, b| b.published.cmp(&a.published).then_with(|| a.id.cmp(&b.id)));
    articles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::publication::FeedContent;

    const RULES: FeedRules = FeedRules {
        entries: 3,
        content: FeedContent::Full,
        hub: None,
        archive_size: Some(4),
    };

    /// Articles of the days from 1 up, and the documents that they make.
    fn world(days: u32) -> (Collection, Documents) {
        let articles = (1..=days).map(|day| Article::sample(&format!("a{day}"), day, "A"));
        let collection = Collection::new(articles.collect(), [], Vec::new());
        let mut documents = Documents::default();
        let new = complete(&collection, &Stream::Whole, &RULES, &documents);
        for (number, articles) in (1..).zip(new) {
            for article in articles {
                documents.add(number, article.id.clone(), article.updated.to_utc());
            }
        }
        (collection, documents)
    }

    fn slugs(articles: &[&Article]) -> Vec<String> {
        articles.iter().map(|a| a.slug.to_string()).collect()
    }

    #[test]
    fn every_article_is_in_exactly_one_document_whatever_their_number() {
        for days in 0..=28 {
            let (collection, documents) = world(days);
            let open = subscription(&collection, &Stream::Whole, &RULES, &documents);
            let mut all = slugs(&open);
            for (_, ids) in documents.iter() {
                assert_eq!(ids.len(), 4);
                all.extend(slugs(&document(&collection, ids)));
            }
            assert!(
                open.len() >= 3.min(days as usize) && open.len() < 7,
                "{days}"
            );
            let newest_first = collection.articles().iter().map(|a| a.slug.to_string());
            let mut expected: Vec<String> = newest_first.collect();
            all.sort();
            expected.sort();
            assert_eq!(all, expected, "{days}");
        }
    }

    #[test]
    fn older_articles_that_come_late_do_not_push_the_newest_out() {
        let (_, documents) = world(9);
        let old = (20..=24).map(|n| {
            let mut article = Article::sample(&format!("old{n}"), 1, "A");
            article.published -= chrono::TimeDelta::days(i64::from(n));
            article
        });
        let known = (1..=9).map(|day| Article::sample(&format!("a{day}"), day, "A"));
        let collection = Collection::new(known.chain(old).collect(), [], Vec::new());
        let new = complete(&collection, &Stream::Whole, &RULES, &documents);
        assert_eq!(new.len(), 1);
        assert!(slugs(&new[0]).iter().all(|slug| slug.starts_with("old")));
    }

    #[test]
    fn a_late_edit_is_shown_again_until_newer_articles_push_it_out() {
        let (collection, documents) = world(9);
        let mut articles = collection.articles().to_vec();
        let old = articles.last_mut().unwrap();
        assert!(documents.contains(&old.id));
        old.updated += chrono::TimeDelta::days(8);
        let shown = |articles: Vec<Article>| {
            let collection = Collection::new(articles, [], Vec::new());
            slugs(&subscription(
                &collection,
                &Stream::Whole,
                &RULES,
                &documents,
            ))
        };
        assert_eq!(shown(articles.clone()).last().unwrap(), "a1");
        articles.extend((10..=12).map(|day| Article::sample(&format!("a{day}"), day, "A")));
        assert_ne!(shown(articles).last().unwrap(), "a1");
    }
}
