//! One file per page of the preview: what it says, for its template.

pub(super) mod article;
pub(super) mod articles;
pub(super) mod code;
pub(super) mod feed;
pub(super) mod feeds;
pub(super) mod inbox;
pub(super) mod issue;
pub(super) mod overview;
pub(super) mod readers;
pub(super) mod site;

use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use super::{
    frames::local_address,
    press::Press,
    ui::{address, size},
};
use crate::domain::{
    article::{Article, Picture},
    collection::Withheld,
    language::day_text,
};

/// A way to look at something, in a row of them.
#[derive(Serialize)]
struct Tab {
    label: &'static str,
    url: String,
    is_here: bool,
}

/// A fact with its name.
#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
    url: Option<String>,
}

impl Fact {
    fn of(name: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
            url: None,
        }
    }

    fn link(name: &'static str, value: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            url: Some(url.into()),
            ..Self::of(name, value)
        }
    }
}

/// A picture with all that is known of it.
#[derive(Serialize)]
struct Shown {
    url: String,
    alt: String,
    caption: Option<String>,
    credit: Option<String>,
    width: u32,
    height: u32,
    /// On another site: the preview fetches nothing from there.
    is_remote: bool,
}

impl Shown {
    fn of(picture: &Picture, press: &Press) -> Self {
        Self {
            url: local_address(&picture.url, &press.config.publication.base_url),
            alt: picture.alt.clone(),
            caption: picture.caption.clone(),
            credit: picture.credit.clone(),
            width: picture.width,
            height: picture.height,
            is_remote: picture.file.is_none(),
        }
    }

    fn facts(picture: &Picture) -> String {
        match (picture.width, picture.bytes) {
            (0, _) => "on another site".to_owned(),
            (width, bytes) => {
                let bytes = size(usize::try_from(bytes).unwrap_or(usize::MAX));
                format!("{width} × {} pixels, {bytes}", picture.height)
            }
        }
    }
}

/// An article in a list.
#[derive(Serialize)]
struct Row {
    title: String,
    url: String,
    section: Option<String>,
    published: String,
    /// Why it is not published; `None` when it is.
    held_back: Option<String>,
    picture: Option<Shown>,
    problems: usize,
}

impl Row {
    fn of(article: &Article, press: &Press, problems: usize, held_back: Option<String>) -> Self {
        let sections = press.loaded.collection.sections();
        let title = |slug| sections.get(slug).map(|section| section.title.clone());
        Self {
            title: article.title.clone(),
            url: address("article", &article.source),
            section: article
                .section
                .as_ref()
                .map(|slug| title(slug).unwrap_or_else(|| slug.to_string())),
            published: day_text(article.published, &press.config.publication.language),
            held_back,
            picture: article.hero.as_ref().map(|hero| Shown::of(hero, press)),
            problems,
        }
    }
}

/// Why an article is held back, for people.
fn reason(reason: &Withheld, language: &str) -> String {
    match reason {
        Withheld::Draft => "draft".to_owned(),
        Withheld::Future(at) => format!("not before {}", moment(*at, language)),
        Withheld::Withdrawn(at) => format!("withdrawn on {}", day_text(*at, language)),
    }
}

/// Day and time.
fn moment(at: DateTime<FixedOffset>, language: &str) -> String {
    format!("{}, {}", day_text(at, language), at.format("%H:%M"))
}
