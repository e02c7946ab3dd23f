//! The website: a page for everything that a link in a feed or a letter leads
//! to. Made from templates, in parallel, and handed on page by page; what is
//! made of the same things as last time is not made again. No clock: equal
//! input gives equal bytes.

mod article;
mod claims;
mod context;
mod letter;
mod list;
mod redirect;
mod rehearsal;
mod single;
mod site;
mod sitemap;
mod structured;
mod trail;

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use rayon::prelude::*;

pub use rehearsal::check_templates;
pub use single::page_at;

use crate::{
    domain::{
        article::{Article, SafeHtml, Slug},
        collection::Collection,
        fingerprint::Fingerprint,
        publication::Publication,
    },
    templates::{TemplateError, Templates},
};
use claims::Claims;
use site::{Draft, Site};

/// All that the website is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Whose site it is.
    pub publication: &'a Publication,
    /// What there is to read.
    pub collection: &'a Collection,
    /// What pages look like.
    pub templates: &'a Templates,
    /// Issues that were sent, newest first.
    pub letters: &'a [Letter],
    /// The feeds that there are: pages announce no other.
    pub feeds: &'a Feeds,
}

/// Feeds that pages announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeds {
    /// The list of all of them, below the output folder.
    pub list: String,
    /// By the folder of their stream below the output folder: empty, or ends
    /// in `/`.
    pub files: BTreeMap<String, Vec<FeedFile>>,
}

/// A feed in one of its formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedFile {
    /// What people call the format.
    pub label: &'static str,
    /// Below the output folder.
    pub path: String,
    /// Media type.
    pub media_type: &'static str,
}

/// Where pages go.
pub trait Target: Sync {
    /// Why a page cannot be made or does not arrive.
    type Error: From<PagesError> + Send;

    /// Whether a page made of the same things is there already and stays: then
    /// it is not made.
    ///
    /// # Errors
    /// When that cannot be told.
    fn keeps(&self, path: &str, recipe: Fingerprint) -> Result<bool, Self::Error>;

    /// The text of an article, for its own page.
    ///
    /// # Errors
    /// When it cannot be rendered.
    fn text(&self, article: &Article) -> Result<SafeHtml, Self::Error>;

    /// Takes a page.
    ///
    /// # Errors
    /// When it does not arrive.
    fn put(&self, page: Page) -> Result<(), Self::Error>;
}

/// An issue that was sent, for the archive of letters.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Name of its digest.
    pub digest: Slug,
    /// The digest's title as readers saw it.
    pub digest_title: String,
    /// The digest's own number, from 1.
    pub number: u32,
    /// The subject line.
    pub subject: String,
    /// When it was frozen, in the publication's zone.
    pub sent: DateTime<FixedOffset>,
    /// Titles of what it carried.
    pub articles: Vec<String>,
    /// The letter as HTML: made from templates at the freeze, printed as it is.
    pub html: String,
    /// Rules for its elements only.
    pub style: String,
    /// The class of the element that these rules apply below.
    pub class: &'static str,
}

/// One output file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Below the output folder, with `/`.
    pub path: String,
    /// Of everything it was made of, where that is worth knowing.
    pub recipe: Option<Fingerprint>,
    /// What stands in it: UTF-8.
    pub bytes: Vec<u8>,
}

/// Why a page cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// A template does not work out.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The sitemap's writer failed.
    #[error("cannot write {path}")]
    Sitemap {
        /// The file.
        path: String,
        /// What the writer said.
        #[source]
        source: std::io::Error,
    },
}

/// So many pages are made at once: enough for all cores, and the first that
/// fails is the same in every run.
const CHUNK: usize = 1024;

/// Makes every page that `target` does not keep and hands it on.
///
/// # Errors
/// When a template fails, or with what `target` says.
pub fn write<T: Target>(input: &Input<'_>, target: &T) -> Result<(), T::Error> {
    // 1. What all pages share, and who stands where: articles come first.
    let style = site::style(input)?;
    let site = Site::new(input, &style);
    let mut claims = Claims::default();
    target.put(Page {
        path: claims.fixed(site::STYLE_FILE),
        recipe: None,
        bytes: style.into_bytes(),
    })?;
    // 2. A page for each article.
    let articles = article::plan(input, &mut claims);
    in_parallel(&articles, |planned| {
        let Some(mut draft) = article::page(&site, planned) else {
            return Ok(());
        };
        let recipe = draft.recipe();
        if target.keeps(draft.path(), recipe)? {
            return Ok(());
        }
        let text = target.text(planned.article)?;
        article::complete(&mut draft, &site, planned.article, &text);
        target.put(draft.render(Some(recipe))?)
    })?;
    // 3. Lists of them: home, sections, tags, authors.
    let make = |draft: Draft<'_>| {
        let recipe = draft.recipe();
        match target.keeps(draft.path(), recipe)? {
            true => Ok(()),
            false => target.put(draft.render(Some(recipe))?),
        }
    };
    let lists = list::plan(&site, &mut claims);
    let spans = list::spans(&lists);
    in_parallel(&spans, |span| make(list::page(&site, span)))?;
    // 4. The archive of letters.
    let letters = letter::plan(input, &mut claims);
    in_parallel(&letters, |planned| make(letter::page(&site, planned)))?;
    // 5. Old addresses, what is shown where nothing is, and the map of it all.
    let redirects = redirect::plan(input, &mut claims);
    in_parallel(&redirects, |planned| make(redirect::page(&site, planned)))?;
    make(site::not_found(&site))?;
    let listed = sitemap::entries(&site, &articles, &spans, &letters);
    for page in sitemap::pages(input.publication, &listed) {
        target.put(page?)?;
    }
    Ok(())
}

/// Does the same with each on all cores; of several errors the first in order
/// counts.
fn in_parallel<T: Sync, E: Send>(
    all: &[T],
    make: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    for chunk in all.chunks(CHUNK) {
        let made: Vec<Result<(), E>> = chunk.par_iter().map(&make).collect();
        made.into_iter().collect::<Result<(), E>>()?;
    }
    Ok(())
}
