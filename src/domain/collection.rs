//! All published articles, newest first, and the indexes that streams need.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use crate::domain::{
    article::{Article, ArticleId, Slug},
    publication::Author,
};

/// A section: a folder of articles, described by its `_index.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Folder name.
    pub slug: Slug,
    /// As readers see it; where nobody said, the folder name: `slow-living` is
    /// `Slow living`.
    pub title: String,
    /// One sentence about it.
    pub description: Option<String>,
    /// How many entries its feeds carry, where it differs from the publication.
    pub entries: Option<usize>,
    /// BCP 47 tag where it differs from the publication's.
    pub language: Option<String>,
}

/// Why a file in `content/` is not in the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// `draft = true`.
    Draft,
    /// Its date is still to come.
    Future(chrono::DateTime<chrono::FixedOffset>),
}

/// A held-back article: enough to explain it in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The file, relative to the publication's root.
    pub source: PathBuf,
    /// Its title.
    pub title: String,
    /// Draft or future.
    pub reason: Withheld,
}

/// Every article that may be shown, in one order for all formats.
#[derive(Debug, Default)]
pub struct Collection {
    articles: Vec<Article>,
    by_id: HashMap<ArticleId, usize>,
    sections: BTreeMap<Slug, Section>,
    held_back: Vec<HeldBack>,
}

impl Collection {
    /// Orders articles newest first (ties by id, so that the order is stable)
    /// and indexes them. Ids are unique by the loader's check.
    #[must_use]
    pub fn new(
        mut articles: Vec<Article>,
        sections: impl IntoIterator<Item = Section>,
        held_back: Vec<HeldBack>,
    ) -> Self {
        articles.sort_by(|a, b| {
            b.published
                .cmp(&a.published)
                .then_with(|| a.id.as_str().cmp(b.id.as_str()))
        });
        let by_id = articles
            .iter()
            .enumerate()
            .map(|(at, article)| (article.id.clone(), at))
            .collect();
        let sections = sections.into_iter().map(|s| (s.slug.clone(), s)).collect();
        Self {
            articles,
            by_id,
            sections,
            held_back,
        }
    }

    /// Newest first.
    #[must_use]
    pub fn articles(&self) -> &[Article] {
        &self.articles
    }

    /// The article with this id.
    #[must_use]
    pub fn get(&self, id: &ArticleId) -> Option<&Article> {
        self.by_id.get(id).map(|&at| &self.articles[at])
    }

    /// Sections by slug, those without articles included.
    #[must_use]
    pub fn sections(&self) -> &BTreeMap<Slug, Section> {
        &self.sections
    }

    /// Articles of one section, newest first.
    pub fn in_section<'a>(&'a self, section: &'a Slug) -> impl Iterator<Item = &'a Article> {
        self.articles
            .iter()
            .filter(move |a| a.section.as_ref() == Some(section))
    }

    /// Drafts and future articles: not published anywhere.
    #[must_use]
    pub fn held_back(&self) -> &[HeldBack] {
        &self.held_back
    }

    /// Every author once, in the order of first appearance.
    #[must_use]
    pub fn authors(&self) -> Vec<&Author> {
        let mut seen = Vec::new();
        for author in self.articles.iter().flat_map(|a| &a.authors) {
            if !seen.contains(&author) {
                seen.push(author);
            }
        }
        seen
    }
}
