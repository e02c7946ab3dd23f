//! The page of an article.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use tera::Value;

use super::{
    Input,
    claims::Claims,
    context,
    site::{Draft, Head, Site},
    structured,
    trail::Step,
};
use crate::domain::{
    article::{Article, SafeHtml, Slug},
    text::one_line,
};

/// An article, where its page stands, and what comes before and after it.
pub(super) struct Planned<'a> {
    pub(super) article: &'a Article,
    /// `None` for an article that is read elsewhere.
    pub(super) file: Option<String>,
    older: Option<&'a Article>,
    newer: Option<&'a Article>,
}

/// Every article, newest first. Older and newer ones are of the same section.
pub(super) fn plan<'a>(input: &Input<'a>, claims: &mut Claims) -> Vec<Planned<'a>> {
    let mut planned: Vec<Planned<'a>> = Vec::new();
    let mut last: HashMap<Option<&Slug>, usize> = HashMap::new();
    for article in input.collection.articles() {
        let file = input
            .publication
            .file_at(&article.url)
            .filter(|_| !article.is_elsewhere)
            .filter(|file| claims.take(file));
        let has_page = file.is_some();
        let mut newer = None;
        if has_page {
            let at = planned.len();
            if let Some(before) = last.insert(article.section.as_ref(), at) {
                planned[before].older = Some(article);
                newer = Some(planned[before].article);
            }
        }
        planned.push(Planned {
            article,
            file,
            older: None,
            newer,
        });
    }
    planned
}

/// The page, if it has one here: without its text, which is known by its
/// fingerprint until it is needed.
pub(super) fn page<'a>(site: &'a Site<'a>, planned: &Planned<'_>) -> Option<Draft<'a>> {
    let article = planned.article;
    let file = planned.file.as_ref()?;
    let title = one_line(&article.title);
    let section = article.section.as_ref();
    let section_title = section.map(|slug| site.section_title(slug));
    let mut trail = vec![site.home_step()];
    let mut streams = vec![site.whole()];
    if let (Some(slug), Some(name)) = (section, &section_title) {
        trail.push(Step::new(name, format!("{slug}/")));
        streams.insert(0, site.stream(format!("sections/{slug}/"), name));
    }
    let below = article.url.as_str();
    let below = below.strip_prefix(site.input.publication.base_url.as_str());
    trail.push(Step::new(&title, below.unwrap_or_default()));
    let facts = (
        article.summary.as_str(),
        section_title.as_deref(),
        site.language_of(article),
    );
    let head = Head {
        title: &title,
        description: &article.summary,
        url: article.url.as_str(),
        kind: "article",
        section,
        trail: &trail,
        streams: &streams,
        image: article.hero.as_ref(),
        structured: structured::article(site.input.publication, article, facts, &trail),
        properties: properties(article, section_title.as_deref()),
        style: "",
        is_listed: true,
    };
    let text = HEXLOWER.encode(&article.text.bytes());
    let card = |other: Option<&Article>| {
        other.map(|other| {
            let summary = other.standfirst.as_deref().unwrap_or_default();
            context::card(site, other, summary)
        })
    };
    let own = [
        ("article", described(site, article, text.into())),
        ("older", card(planned.older).into()),
        ("newer", card(planned.newer).into()),
    ];
    Some(site.draft(file, "article.html", head, own))
}

/// Gives a page its text.
pub(super) fn complete(draft: &mut Draft<'_>, site: &Site<'_>, article: &Article, text: &SafeHtml) {
    let text = Value::safe_string(text.as_str());
    draft.set("article", described(site, article, text));
}

fn described(site: &Site<'_>, article: &Article, text: Value) -> Value {
    let mut described = context::article(site, article);
    described.insert("summary", article.summary.as_str().into());
    described.insert("html", text);
    described.into()
}

/// Open Graph says of an article when, in what and about what it is.
fn properties(article: &Article, section: Option<&str>) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("article:published_time", article.published.to_rfc3339()),
        ("article:modified_time", article.updated.to_rfc3339()),
    ];
    properties.extend(section.map(|title| ("article:section", title.to_owned())));
    let tags = article.tags.iter();
    properties.extend(tags.map(|tag| ("article:tag", one_line(&tag.label))));
    properties
}
