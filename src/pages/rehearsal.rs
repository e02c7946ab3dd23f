//! Templates of pages tried before there is anything to lose: `check` finds a
//! misspelt name, `build` does not stop half way.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::{FeedFile, Feeds, Input, Letter, Page, PagesError, Target, write};
use crate::{
    domain::{
        article::{Article, SafeHtml, Slug},
        collection::Collection,
        fingerprint::Fingerprint,
        problem::Problem,
        publication::Publication,
    },
    templates::Templates,
};

/// Renders every kind of page: with the newest article of the collection, and
/// with a letter that nobody was sent.
#[must_use]
pub fn check_templates(
    publication: &Publication,
    collection: &Collection,
    templates: &Templates,
) -> Vec<Problem> {
    let sample: Vec<Article> = collection.articles().iter().take(2).cloned().collect();
    let sections = collection.sections().values().take(1).cloned();
    let sample = Collection::new(sample, sections, Vec::new());
    let rss = FeedFile {
        label: "RSS",
        path: "rss.xml".to_owned(),
        media_type: "application/rss+xml",
    };
    let feeds = Feeds {
        list: "feeds.opml".to_owned(),
        files: BTreeMap::from([(String::new(), vec![rss])]),
    };
    let input = Input {
        publication,
        collection: &sample,
        templates,
        letters: &letters(),
        feeds: &feeds,
    };
    match write(&input, &Rehearsal) {
        Err(PagesError::Template(error)) => vec![error.problem()],
        Ok(()) | Err(PagesError::Sitemap { .. }) => Vec::new(),
    }
}

/// Renders everything and publishes nothing.
struct Rehearsal;

impl Target for Rehearsal {
    type Error = PagesError;

    fn keeps(&self, _: &str, _: Fingerprint) -> Result<bool, PagesError> {
        Ok(false)
    }

    fn text(&self, _: &Article) -> Result<SafeHtml, PagesError> {
        Ok(SafeHtml::default())
    }

    fn put(&self, _: Page) -> Result<(), PagesError> {
        Ok(())
    }
}

fn letters() -> Vec<Letter> {
    let letter = |number| {
        Some(Letter {
            digest: Slug::of("weekly")?,
            digest_title: "Weekly".to_owned(),
            number,
            subject: "A subject".to_owned(),
            sent: DateTime::UNIX_EPOCH.fixed_offset(),
            articles: vec!["An article".to_owned()],
            html: String::new(),
            style: String::new(),
            class: "letter",
        })
    };
    [2, 1].into_iter().filter_map(letter).collect()
}
