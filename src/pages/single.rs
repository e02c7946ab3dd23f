//! One page alone: found by the same plan as the whole site, and nothing else is
//! rendered for it. A preview shows pages one at a time.

use super::{
    Input, Page, PagesError, article,
    claims::Claims,
    letter, list, redirect, site,
    site::{Draft, Site},
    sitemap,
};
use crate::domain::article::{Article, SafeHtml};

/// The page that [`write`](super::write) puts at `path` below the output
/// folder, such as `food/soup/index.html`; `None` where it puts nothing.
///
/// # Errors
/// When its template fails, or with what `text` says, which renders an article.
pub fn page_at<E: From<PagesError>>(
    input: &Input<'_>,
    path: &str,
    text: impl Fn(&Article) -> Result<SafeHtml, E>,
) -> Result<Option<Page>, E> {
    // 1. What all pages share. Who stands where is settled in the order of `write`.
    let style = site::style(input)?;
    let site = Site::new(input, &style);
    let mut claims = Claims::default();
    if path == claims.fixed(site::STYLE_FILE) {
        return Ok(Some(Page {
            path: path.to_owned(),
            recipe: None,
            bytes: style.into_bytes(),
        }));
    }
    // 2. An article.
    let articles = article::plan(input, &mut claims);
    let is_here = |file: &Option<String>| file.as_deref() == Some(path);
    if let Some(planned) = articles.iter().find(|planned| is_here(&planned.file)) {
        let Some(mut draft) = article::page(&site, planned) else {
            return Ok(None);
        };
        let text = text(planned.article)?;
        article::complete(&mut draft, &site, planned.article, &text);
        return made(draft);
    }
    // 3. A page of a list.
    let lists = list::plan(&site, &mut claims);
    let spans = list::spans(&lists);
    let is_index = |folder: String| path.strip_suffix("index.html") == Some(folder.as_str());
    if let Some(span) = spans.iter().find(|span| is_index(span.path())) {
        return made(list::page(&site, span));
    }
    // 4. A letter, an old address, the page for what is not there, the map.
    let letters = letter::plan(input, &mut claims);
    if let Some(planned) = letters.iter().find(|planned| is_index(planned.path())) {
        return made(letter::page(&site, planned));
    }
    let redirects = redirect::plan(input, &mut claims);
    if let Some(planned) = redirects.iter().find(|planned| planned.file == path) {
        return made(redirect::page(&site, planned));
    }
    if path == site::NOT_FOUND_FILE {
        return made(site::not_found(&site));
    }
    if !path.starts_with("sitemap") {
        return Ok(None);
    }
    let listed = sitemap::entries(&site, &articles, &spans, &letters);
    sitemap::pages(input.publication, &listed)
        .find(|page| page.as_ref().map_or(true, |page| page.path == path))
        .transpose()
        .map_err(E::from)
}

fn made<E: From<PagesError>>(draft: Draft<'_>) -> Result<Option<Page>, E> {
    Ok(Some(draft.render(None)?))
}
