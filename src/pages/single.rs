//! One page alone: found by the same plan as the whole site, and nothing else is
//! rendered for it. A preview shows pages one at a time.

use super::{
    Input, Page, PagesError, article, claims::Claims, letter, list, redirect, site, site::Site,
    sitemap,
};

/// The page that [`write`](super::write) puts at `path` below the output
/// folder, such as `food/soup/index.html`; `None` where it puts nothing.
///
/// # Errors
/// When its template fails.
pub fn page_at(input: &Input<'_>, path: &str) -> Result<Option<Page>, PagesError> {
    // 1. What all pages share. Who stands where is settled in the order of `write`.
    let style = site::style(input)?;
    let site = Site::new(input, &style);
    let mut claims = Claims::default();
    if path == claims.fixed(site::STYLE_FILE) {
        let (path, bytes) = (path.to_owned(), style.into_bytes());
        return Ok(Some(Page { path, bytes }));
    }
    // 2. An article.
    let articles = article::plan(input, &mut claims);
    let is_here = |file: &Option<String>| file.as_deref() == Some(path);
    if let Some(planned) = articles.iter().find(|planned| is_here(&planned.file)) {
        return Ok(article::page(&site, planned)?.0);
    }
    // 3. A page of a list, with summaries of the articles on it.
    let lists = list::plan(&site, &mut claims);
    let spans = list::spans(&lists);
    let is_index = |folder: String| path.strip_suffix("index.html") == Some(folder.as_str());
    if let Some(span) = spans.iter().find(|span| is_index(span.path())) {
        let bare = span.articles().iter().filter(|a| a.standfirst.is_none());
        let summaries = bare.map(|a| (&a.id, (input.summary)(a))).collect();
        return list::page(&site, span, &summaries).map(Some);
    }
    // 4. A letter, an old address, the page for what is not there, the map.
    let letters = letter::plan(input, &mut claims);
    if let Some(planned) = letters.iter().find(|planned| is_index(planned.path())) {
        return letter::page(&site, planned).map(Some);
    }
    let redirects = redirect::plan(input, &mut claims);
    if let Some(planned) = redirects.iter().find(|planned| planned.file == path) {
        return redirect::page(&site, planned).map(Some);
    }
    if path == site::NOT_FOUND_FILE {
        return site::not_found(&site).map(Some);
    }
    if !path.starts_with("sitemap") {
        return Ok(None);
    }
    let listed = sitemap::entries(&site, &articles, &spans, &letters);
    sitemap::pages(input.publication, &listed)
        .find(|page| page.as_ref().map_or(true, |page| page.path == path))
        .transpose()
}
