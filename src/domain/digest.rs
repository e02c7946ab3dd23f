//! A recurring mailing as configured.

use chrono::Duration;

use crate::domain::{
    article::{Article, Slug},
    delivery::OnUncertain,
    publication::Publication,
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

/// How much of an article an issue shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shown {
    /// Its headline.
    Title,
    /// Headline and summary; of the lead, its opening.
    Summary,
    /// All of it.
    Full,
}

impl Shown {
    /// As templates and settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Summary => "summary",
            Self::Full => "full",
        }
    }
}

/// Kinds of letters whose lead is there to be read in the letter itself.
const KINDS_IN_FULL: [&str; 2] = ["letter", "announcement"];

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
    /// The language of its fixed words; where absent the publication's.
    pub language: Option<String>,
    /// How much of each article is shown; where absent the kind decides.
    pub content: Option<Shown>,
    /// Template of the subject line; where absent that of its kind.
    pub subject: Option<String>,
}

impl Digest {
    /// How much of the article at this place of an issue is shown, if there
    /// is room for it; the lead is at 0.
    #[must_use]
    pub fn shown(&self, at: usize) -> Shown {
        let is_to_be_read = at == 0 && KINDS_IN_FULL.contains(&self.template.as_str());
        match self.content {
            Some(shown) => shown,
            None if is_to_be_read => Shown::Full,
            None => Shown::Summary,
        }
    }

    /// The language of its fixed words.
    #[must_use]
    pub fn language<'a>(&'a self, publication: &'a Publication) -> &'a str {
        self.language.as_ref().unwrap_or(&publication.language)
    }

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
