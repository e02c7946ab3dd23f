//! The website: a page for everything that a link in a feed or a letter leads
//! to. Made from templates, in parallel, and handed on page by page: only a
//! bounded number is in memory. No clock: equal input gives equal bytes.

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

use std::{
    collections::{BTreeSet, HashMap},
    sync::mpsc,
    thread,
};

use chrono::{DateTime, FixedOffset};
use rayon::prelude::*;

pub use rehearsal::check_templates;
pub use single::page_at;

use crate::{
    domain::{
        article::{Article, ArticleId, PageText, Slug},
        collection::Collection,
        publication::Publication,
    },
    templates::{TemplateError, Templates},
};
use claims::Claims;
use site::Site;

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
    /// The feeds that there are, below the output folder: `food/rss.xml`.
    pub feeds: &'a BTreeSet<String>,
    /// Renders an article for its page.
    pub text: &'a (dyn Fn(&Article) -> PageText + Sync),
    /// The summary of an article that has no page here.
    pub summary: &'a (dyn Fn(&Article) -> String + Sync),
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

/// So many pages are rendered at once; as many more may wait to be written.
const CHUNK: usize = 256;

/// Makes every page and hands each to `put`, always in the same order.
///
/// # Errors
/// When a template fails, or with what `put` says.
pub fn write<E: From<PagesError>>(
    input: &Input<'_>,
    put: &mut dyn FnMut(Page) -> Result<(), E>,
) -> Result<(), E> {
    // 1. What all pages share, and who stands where: articles come first.
    let style = site::style(input)?;
    let site = Site::new(input, &style);
    let mut claims = Claims::default();
    put(Page {
        path: claims.fixed(site::STYLE_FILE),
        bytes: style.into_bytes(),
    })?;
    // 2. A page for each article; what lists say of it is kept.
    let articles = article::plan(input, &mut claims);
    let mut summaries: HashMap<&ArticleId, String> = HashMap::new();
    in_parallel(
        &articles,
        &|planned| article::page(&site, planned),
        &mut |(page, summary): (Option<Page>, Option<String>), planned| {
            if let Some(summary) = summary {
                summaries.insert(&planned.article.id, summary);
            }
            page.map_or(Ok(()), &mut *put)
        },
    )?;
    // 3. Lists of them: home, sections, tags, authors.
    let lists = list::plan(&site, &mut claims);
    let spans = list::spans(&lists);
    in_parallel(
        &spans,
        &|span| list::page(&site, span, &summaries),
        &mut |page, _| put(page),
    )?;
    // 4. The archive of letters.
    let letters = letter::plan(input, &mut claims);
    in_parallel(
        &letters,
        &|planned| letter::page(&site, planned),
        &mut |page, _| put(page),
    )?;
    // 5. Old addresses, what is shown where nothing is, and the map of it all.
    let redirects = redirect::plan(input, &mut claims);
    in_parallel(
        &redirects,
        &|planned| redirect::page(&site, planned),
        &mut |page, _| put(page),
    )?;
    put(site::not_found(&site)?)?;
    let listed = sitemap::entries(&site, &articles, &spans, &letters);
    for page in sitemap::pages(input.publication, &listed) {
        put(page?)?;
    }
    Ok(())
}

/// Renders in the background, a chunk at a time on all cores, and hands on in
/// the order given, so that rendering and writing overlap.
fn in_parallel<T: Sync, R: Send, E: From<PagesError>>(
    planned: &[T],
    render: &(dyn Fn(&T) -> Result<R, PagesError> + Sync),
    take: &mut dyn FnMut(R, &T) -> Result<(), E>,
) -> Result<(), E> {
    let (send, receive) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for chunk in planned.chunks(CHUNK) {
                let rendered: Vec<Result<R, PagesError>> = chunk.par_iter().map(render).collect();
                // Nobody listens any more once something failed.
                if send.send((chunk, rendered)).is_err() {
                    return;
                }
            }
        });
        // Dropped at the first error, which ends the thread.
        let receive = receive;
        for (chunk, rendered) in receive.iter() {
            for (one, rendered) in chunk.iter().zip(rendered) {
                take(rendered?, one)?;
            }
        }
        Ok(())
    })
}
