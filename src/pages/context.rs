//! What templates see of articles and pictures; `docs/templates.md` lists it
//! for people. Every name is always there; what is missing is none.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use tera::Value;
use url::{Position, Url};

use super::site::Site;
use crate::{
    domain::{
        article::{Article, Enclosure, Picture},
        language::direction,
        publication::{Author, Logo},
        text::one_line,
    },
    templates::Words,
};

pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    BTreeMap::from(entries).into()
}

pub(super) fn line(text: Option<&str>) -> Value {
    text.map(one_line).into()
}

/// A URL as a page writes it: by its path where it lies on this site.
/// `None` for a scheme that no page may carry.
pub(super) fn href(url: &Url, base: &Url) -> Option<String> {
    if !matches!(url.scheme(), "https" | "http") {
        return None;
    }
    Some(if url.origin() == base.origin() {
        url[Position::BeforePath..].to_owned()
    } else {
        url.as_str().to_owned()
    })
}

/// An article in a list.
pub(super) fn card(site: &Site<'_>, article: &Article, summary: &str) -> Value {
    let base = &site.input.publication.base_url;
    let language = site.language_of(article);
    let words = site.input.templates.words(language);
    let hero = article.hero.as_ref().map(|hero| picture(hero, base));
    map([
        ("title", one_line(&article.title).into()),
        ("url", href(&article.url, base).into()),
        ("is_elsewhere", article.is_elsewhere.into()),
        ("kicker", line(article.kicker.as_deref())),
        ("section", site.section_of(article)),
        ("summary", one_line(summary).into()),
        ("hero", hero.into()),
        ("authors_line", authors_line(&article.authors, words).into()),
        ("language", language.into()),
        ("dir", direction(language).into()),
        ("published", article.published.to_rfc3339().into()),
        ("published_text", words.day(article.published).into()),
    ])
}

/// An article on its own page, without its text.
pub(super) fn article(site: &Site<'_>, article: &Article) -> BTreeMap<&'static str, Value> {
    let base = &site.input.publication.base_url;
    let language = site.language_of(article);
    let words = site.input.templates.words(language);
    let authors: Vec<Value> = article.authors.iter().map(|a| site.author(a)).collect();
    let tags = article.tags.iter().map(|tag| {
        map([
            ("slug", tag.slug.as_str().into()),
            ("label", one_line(&tag.label).into()),
            ("url", site.path(&format!("tags/{}/", tag.slug)).into()),
        ])
    });
    let updated = is_later_day(article.updated, article.published);
    let enclosure = article.enclosure.as_ref().map(|e| enclosure(e, base));
    BTreeMap::from([
        ("title", one_line(&article.title).into()),
        ("url", href(&article.url, base).into()),
        ("kicker", line(article.kicker.as_deref())),
        ("standfirst", line(article.standfirst.as_deref())),
        ("section", site.section_of(article)),
        ("authors", authors.into()),
        ("authors_line", authors_line(&article.authors, words).into()),
        ("tags", tags.collect::<Vec<_>>().into()),
        (
            "hero",
            article.hero.as_ref().map(|p| picture(p, base)).into(),
        ),
        ("enclosure", enclosure.into()),
        ("language", language.into()),
        ("dir", direction(language).into()),
        ("published", article.published.to_rfc3339().into()),
        ("published_text", words.day(article.published).into()),
        ("updated", article.updated.to_rfc3339().into()),
        (
            "updated_text",
            updated.then(|| words.day(article.updated)).into(),
        ),
    ])
}

/// Whether readers should be told of the change.
fn is_later_day(updated: DateTime<FixedOffset>, published: DateTime<FixedOffset>) -> bool {
    updated.date_naive() > published.date_naive()
}

fn enclosure(enclosure: &Enclosure, base: &Url) -> Value {
    let kind = enclosure.media_type.split('/').next().unwrap_or_default();
    map([
        ("url", href(&enclosure.url, base).into()),
        ("media_type", enclosure.media_type.as_str().into()),
        ("is_audio", (kind == "audio").into()),
        ("is_video", (kind == "video").into()),
    ])
}

pub(super) fn picture(picture: &Picture, base: &Url) -> Value {
    let size = |pixels: u32| (pixels > 0).then_some(pixels);
    map([
        ("url", href(&picture.url, base).into()),
        ("absolute_url", picture.url.as_str().into()),
        ("alt", one_line(&picture.alt).into()),
        ("caption", line(picture.caption.as_deref())),
        ("credit", line(picture.credit.as_deref())),
        ("width", size(picture.width).into()),
        ("height", size(picture.height).into()),
        (
            "is_tall",
            (picture.height > picture.width && picture.width > 0).into(),
        ),
    ])
}

pub(super) fn logo(logo: &Logo, base: &Url) -> Value {
    map([
        ("url", href(&logo.url, base).into()),
        ("absolute_url", logo.url.as_str().into()),
        ("width", logo.width.into()),
        ("height", logo.height.into()),
    ])
}

/// `A`, `A and B`, `A, B and C`.
fn authors_line(authors: &[Author], words: Words<'_>) -> String {
    let names: Vec<String> = authors
        .iter()
        .map(|author| one_line(&author.name))
        .collect();
    words.list(&names)
}
