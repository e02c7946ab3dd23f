//! A recurring mailing as configured.

use chrono::Duration;

use crate::domain::{
    article::{Article, Slug},
    delivery::OnUncertain,
    schedule::Schedule,
};

/// What the first issue of a digest carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstIssue {
    /// The newest articles, however old.
    Latest,
    /// Only what was published since the slot before.
    Period,
}

/// A recurring mailing.
#[derive(Debug, Clone)]
pub struct Digest {
    /// Its name on the command line and in the ledger.
    pub name: Slug,
    /// What readers see.
    pub title: String,
    /// When it is due.
    pub schedule: Schedule,
    /// The folder of templates it is rendered with.
    pub template: String,
    /// Only articles of these sections; empty means all.
    pub sections: Vec<Slug>,
    /// Only articles with one of these tags; empty means all.
    pub tags: Vec<Slug>,
    /// At most so many articles in one issue; the rest wait for the next.
    pub max_articles: usize,
    /// With fewer, the issue is skipped.
    pub min_articles: usize,
    /// What the first issue carries.
    pub first_issue: FirstIssue,
    /// A slot older than this is skipped.
    pub max_late: Duration,
    /// What to do with its uncertain deliveries, if not what `[mail]` says.
    pub on_uncertain: Option<OnUncertain>,
    /// Template of the subject line.
    pub subject: String,
}

impl Digest {
    /// Whether an article belongs to what this digest is about.
    #[must_use]
    pub fn selects(&self, article: &Article) -> bool {
        let section = self.sections.is_empty()
            || article
                .section
                .as_ref()
                .is_some_and(|s| self.sections.contains(s));
        let tags = self.tags.is_empty() || article.tags.iter().any(|t| self.tags.contains(&t.slug));
        section && tags
    }
}
