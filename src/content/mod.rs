//! Files to a [`Collection`]: every article complete, or every problem named.
//!
//! Loading reads, checks and connects, in parallel; what has not changed it
//! takes from a [`Cache`]. It renders nothing, and the text of articles stays on disk.
//! [`Renderer`] makes HTML and text of the articles that are output.

mod anchors;
mod cache;
mod checks;
mod enclosures;
mod file;
mod html;
mod ids;
mod load;
mod pictures;
mod plan;
mod podcast;
mod render;
mod site;
mod summary;
mod survey;
#[cfg(test)]
mod tests;
mod urls;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use url::Url;

use crate::domain::{
    article::{Article, Remembered},
    collection::{Collection, Withheld},
    problem::Problem,
    publication::{ContentRules, Publication},
};

pub use cache::Cache;
pub use file::is_markdown;
pub use load::load;
pub use render::{Changed, LinkStyle, Renderer, TextWords};
pub use site::Site;
pub use survey::{Edited, Sight, Survey};

/// What to load and how.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The publication's root, where `letterpress.toml` is.
    pub root: &'a Path,
    /// The content folder relative to `root`, such as `content`.
    pub dir: &'a Path,
    /// Whose articles these are.
    pub publication: &'a Publication,
    /// How articles become addresses.
    pub rules: &'a ContentRules,
    /// What is published by now, and what is still to come.
    pub now: DateTime<Utc>,
    /// What the ledger knows of earlier loads.
    pub remembered: &'a [Remembered],
    /// What earlier loads read; makes this one quicker and nothing else.
    pub cache: &'a Cache,
    /// The machine's time before this load, whatever `now` is: files that have
    /// changed since are not taken for unchanged by the next load.
    pub since: DateTime<Utc>,
    /// Whether a [`Survey`] is wanted.
    pub is_surveyed: bool,
}

/// Everything that was loaded, and everything that is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    /// What may be shown. While a problem is an error, articles may be missing.
    pub collection: Collection,
    /// By file and line.
    pub problems: Vec<Problem>,
    /// New or changed rows for the ledger: minted ids, renamed and edited files.
    pub remember: Vec<Remembered>,
    /// Our own files that published articles refer to, by file, each once.
    pub pictures: Vec<Asset>,
    /// What links resolve against; for [`Renderer::new`].
    pub site: Arc<Site>,
    /// The bytes of the [`Cache`] for the next load; `None` when the present
    /// one still says everything.
    pub cache: Option<Vec<u8>>,
    /// The bytes of a [`Survey`], if one was wanted and there is nothing that
    /// only a whole load can tell.
    pub survey: Option<Vec<u8>>,
    /// Drafts, future and withdrawn articles, complete: for those who write
    /// them, in the order of [`Collection::held_back`].
    pub set_aside: Vec<SetAside>,
}

/// An article that is not published, as it would be.
#[derive(Debug)]
pub struct SetAside {
    /// The article.
    pub article: Article,
    /// Why it is not.
    pub reason: Withheld,
    /// Our own files that it refers to.
    pub files: Vec<Asset>,
}

/// A picture or other file that is published beside the articles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asset {
    /// Relative to the publication's root.
    pub file: PathBuf,
    /// Where readers fetch it: below the base URL.
    pub url: Url,
}

/// Why nothing could be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no content folder.
    #[error("the content folder `{0}` does not exist")]
    Missing(PathBuf),
    /// The content folder cannot be listed.
    #[error("the content folder `{0}` cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
}
