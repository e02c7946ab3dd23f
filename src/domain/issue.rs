//! Which articles an issue carries: a pure function of the collection, the
//! ledger's memory of earlier issues, and the moment.

use std::{collections::HashMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::{
    article::{Article, ArticleId},
    collection::{Collection, Withheld},
    digest::{Digest, FirstIssue},
    schedule::Slot,
};

/// What gave rise to an issue; with the digest's name it is the issue's unique key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// The schedule.
    Slot(Slot),
    /// A person, with `send`: a hash of the articles, so that the same
    /// articles cannot be sent twice by accident.
    Manual(String),
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(slot) => slot.fmt(f),
            Self::Manual(hash) => write!(f, "manual-{hash}"),
        }
    }
}

impl FromStr for Occasion {
    type Err = chrono::ParseError;

    fn from_str(raw: &str) -> Result<Self, chrono::ParseError> {
        match raw.strip_prefix("manual-") {
            Some(hash) => Ok(Self::Manual(hash.to_owned())),
            None => raw.parse().map(Self::Slot),
        }
    }
}

/// Where an issue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IssueState {
    /// Frozen and being delivered.
    Sending,
    /// Held by a person or a safety stop.
    Paused,
    /// Every delivery is final or uncertain.
    Done,
    /// Called off: what was not sent never will be.
    Cancelled,
}

impl IssueState {
    /// The word for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sending, Self::Paused, Self::Done, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// Whether an article is in the next issue, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "choice", rename_all = "snake_case")]
pub enum Choice {
    /// In.
    In,
    /// An earlier issue of this digest carried it.
    Carried {
        /// That issue's number.
        issue: u32,
    },
    /// It was already there when the first issue was made, and not among the newest.
    BeforeFirstIssue,
    /// Published before the period of a first issue.
    BeforePeriod,
    /// The issue is full; it waits for the next.
    Full,
    /// Not one of the digest's sections or tags.
    NotSelected,
    /// `draft = true`.
    Draft,
    /// Its date is still to come.
    Future,
    /// `withdrawn = …`.
    Withdrawn,
}

impl Choice {
    /// The reason in words.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::In => "in".to_owned(),
            Self::Carried { issue } => format!("already in issue {issue}"),
            Self::BeforeFirstIssue => "older than the articles of the first issue".to_owned(),
            Self::BeforePeriod => "published before the first issue’s period".to_owned(),
            Self::Full => "the issue is full; waits for the next".to_owned(),
            Self::NotSelected => "not in this digest’s sections or tags".to_owned(),
            Self::Draft => "draft".to_owned(),
            Self::Future => "dated in the future".to_owned(),
            Self::Withdrawn => "withdrawn".to_owned(),
        }
    }
}

/// One article and what the plan says of it.
#[derive(Debug, Clone, Serialize)]
pub struct Considered {
    /// Its id; `None` for a held-back article, which has none yet.
    pub id: Option<ArticleId>,
    /// Its title.
    pub title: String,
    /// In or out, and why.
    #[serde(flatten)]
    pub choice: Choice,
}

/// What earlier issues of a digest did with an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Carried by this issue number.
    Carried(u32),
    /// There when the first issue was made, and passed over.
    PassedOver,
}

/// What the ledger remembers of a digest.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Articles earlier issues dealt with. Cancelled issues give theirs back.
    pub articles: HashMap<ArticleId, Past>,
    /// Number of the newest issue; 0 when there was none.
    pub last_number: u32,
    /// The last slot that was dealt with.
    pub cursor: Option<Slot>,
}

/// The next issue of a digest, decided.
#[derive(Debug)]
pub struct IssuePlan<'a> {
    /// Number the issue would get, from 1.
    pub number: u32,
    /// What it carries, newest first.
    pub articles: Vec<&'a Article>,
    /// Older articles that a first issue leaves behind for good.
    pub passed_over: Vec<ArticleId>,
    /// Every article of the collection and the reason it is in or out.
    pub considered: Vec<Considered>,
    /// The moment up to which articles count.
    pub cutoff: DateTime<Utc>,
    /// Whether it is the issue as the publisher has it, and not what readers
    /// with some choice get of it.
    pub is_whole: bool,
}

impl<'a> IssuePlan<'a> {
    /// Decides what the next issue of `digest` carries at `cutoff`: what no
    /// earlier issue carried, newest first, up to the limit.
    ///
    /// A first issue takes the newest articles (`first_issue = "latest"`) or
    /// those of the period that ends with `slot`; what it leaves behind stays
    /// behind. The same arguments give the same plan.
    #[must_use]
    pub fn make(
        digest: &Digest,
        collection: &'a Collection,
        history: &History,
        slot: Option<Slot>,
        cutoff: DateTime<Utc>,
    ) -> Self {
        let period_start = period_start(digest, history, slot, cutoff);
        let mut plan = Self {
            number: history.last_number + 1,
            articles: Vec::new(),
            passed_over: Vec::new(),
            considered: Vec::new(),
            cutoff,
            is_whole: true,
        };
        for article in collection.articles() {
            let choice = plan.choose(digest, article, history, period_start);
            plan.considered.push(Considered {
                id: Some(article.id.clone()),
                title: article.title.clone(),
                choice,
            });
        }
        plan.considered
            .extend(collection.held_back().iter().map(|held| Considered {
                id: None,
                title: held.title.clone(),
                choice: match held.reason {
                    Withheld::Draft => Choice::Draft,
                    Withheld::Future(_) => Choice::Future,
                    Withheld::Withdrawn(_) => Choice::Withdrawn,
                },
            }));
        plan
    }

    fn choose(
        &mut self,
        digest: &Digest,
        article: &'a Article,
        history: &History,
        period_start: Option<DateTime<Utc>>,
    ) -> Choice {
        if !digest.selects(article) {
            return Choice::NotSelected;
        }
        match history.articles.get(&article.id) {
            Some(Past::Carried(issue)) => return Choice::Carried { issue: *issue },
            Some(Past::PassedOver) => return Choice::BeforeFirstIssue,
            None => {}
        }
        let is_first = history.last_number == 0;
        let choice = if period_start.is_some_and(|start| article.published <= start) {
            Choice::BeforePeriod
        } else if self.articles.len() < digest.max_articles {
            Choice::In
        } else if is_first && digest.first_issue == FirstIssue::Latest {
            Choice::BeforeFirstIssue
        } else {
            Choice::Full
        };
        match choice {
            Choice::In => self.articles.push(article),
            Choice::BeforePeriod | Choice::BeforeFirstIssue => {
                self.passed_over.push(article.id.clone());
            }
            _ => {}
        }
        choice
    }

    /// Whether there is enough to send.
    #[must_use]
    pub fn is_enough(&self, digest: &Digest) -> bool {
        !self.articles.is_empty() && self.articles.len() >= digest.min_articles
    }

    /// The key of an issue that a person sends: the articles themselves.
    #[must_use]
    pub fn manual_occasion(&self) -> Occasion {
        let mut hash = Sha256::new();
        for article in &self.articles {
            hash.update(article.id.as_str());
            hash.update([0]);
        }
        Occasion::Manual(data_encoding::HEXLOWER.encode(&hash.finalize()[..8]))
    }
}

/// Start of the only period that a first issue with `first_issue = "period"`
/// covers: the slot before the one it is made for.
fn period_start(
    digest: &Digest,
    history: &History,
    slot: Option<Slot>,
    cutoff: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if history.last_number > 0 || digest.first_issue == FirstIssue::Latest {
        return None;
    }
    let schedule = &digest.schedule;
    let end = slot.map_or(cutoff, |slot| {
        schedule.instant(slot) - chrono::Duration::seconds(1)
    });
    schedule
        .newest(end, chrono::Duration::days(400))
        .map(|before| schedule.instant(before))
}
