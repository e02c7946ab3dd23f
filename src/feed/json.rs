//! JSON Feed 1.1 (jsonfeed.org/version/1.1).
//!
//! What the format has no key for stands under `_letterpress`: on the feed
//! `rights` and `logo` (URL); on an item `section` (`slug`, `title`), `picture`
//! (the `image` with `media_type`, `width`, `height`, `size_in_bytes`, `alt`,
//! `caption`, `credit`) and `related` (transcript and chapters of the
//! attachment: `url`, `mime_type`). What is unknown is left out.

use std::borrow::Cow;

use chrono::SecondsFormat;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::{
    domain::article::{Article, Enclosure, Picture},
    feed::{
        Feed, Format, WriterError,
        entry::{Entry, Person, address, line},
    },
};

pub(super) const FORMAT: Format = Format {
    name: "JSON Feed",
    file: "feed.json",
    media_type: "application/feed+json",
};

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<String>,
    language: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub>,
    #[serde(rename = "_letterpress", skip_serializing_if = "Option::is_none")]
    extension: Option<FeedExtension<'a>>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct FeedExtension<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rights: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
}

#[derive(Serialize)]
struct Hub {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Author {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<String>,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banner_image: Option<String>,
    date_published: String,
    date_modified: String,
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
    #[serde(rename = "_letterpress", skip_serializing_if = "Option::is_none")]
    extension: Option<ItemExtension<'a>>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: String,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_in_seconds: Option<u64>,
}

#[derive(Serialize)]
struct ItemExtension<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<Section<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PictureFacts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    url: String,
    mime_type: &'a str,
}

#[derive(Serialize)]
struct Section<'a> {
    slug: &'a str,
    title: &'a str,
}

#[derive(Serialize)]
struct PictureFacts {
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    alt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit: Option<String>,
}

pub(super) fn write(feed: &Feed<'_>) -> Result<Vec<u8>, WriterError> {
    let logo = feed.logo.map(|logo| address(&logo.url));
    let document = Document {
        version: "https://jsonfeed.org/version/1.1",
        title: &feed.title,
        home_page_url: address(&feed.home_page),
        feed_url: feed.address(&FORMAT),
        description: &feed.description,
        icon: feed.icon.map(|icon| address(&icon.url)),
        language: &feed.language,
        authors: authors(&feed.authors),
        hubs: feed.hub.map(hub).into_iter().collect(),
        extension: (feed.rights.is_some() || logo.is_some()).then_some(FeedExtension {
            rights: feed.rights.as_deref(),
            logo,
        }),
        items: feed.entries.iter().map(|entry| item(entry, feed)).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn hub(url: &url::Url) -> Hub {
    Hub {
        kind: "WebSub",
        url: address(url),
    }
}

fn item<'a>(entry: &'a Entry<'_>, feed: &Feed<'_>) -> Item<'a> {
    let article = entry.article;
    let summary = entry.summary();
    let content_html = entry.html();
    // An item needs one of the two, if only an empty one.
    let content_text = content_html.is_none().then(|| summary.clone());
    Item {
        id: article.id.as_str(),
        url: entry.link(),
        external_url: article.is_elsewhere.then(|| entry.link()),
        title: entry.title(),
        content_html,
        content_text,
        summary,
        image: article.hero.as_ref().map(|hero| address(&hero.url)),
        // It stands above the article and is not part of its text.
        banner_image: article.hero.as_ref().map(|hero| address(&hero.url)),
        date_published: rfc_3339(entry.published()),
        date_modified: rfc_3339(entry.updated()),
        authors: authors(&entry.authors()),
        tags: tags(entry),
        language: article
            .language
            .as_deref()
            .filter(|tag| *tag != feed.language),
        attachments: article
            .enclosure
            .as_deref()
            .into_iter()
            .map(attachment)
            .collect(),
        extension: extension(entry),
    }
}

/// JSON Feed has no email key; a `mailto:` URL is what it offers instead.
fn authors(people: &[Person]) -> Vec<Author> {
    people
        .iter()
        .map(|person| Author {
            name: person.name.clone(),
            url: person
                .url
                .clone()
                .or_else(|| person.email.as_deref().map(mailto)),
        })
        .collect()
}

fn mailto(email: &str) -> String {
    const NOT_IN_MAILTO: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
        .remove(b'@')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_')
        .remove(b'+');
    format!("mailto:{}", utf8_percent_encode(email, NOT_IN_MAILTO))
}

/// Section and tags by the names people see, each once.
fn tags<'a>(entry: &'a Entry<'_>) -> Vec<&'a str> {
    let mut tags: Vec<&str> = Vec::new();
    for category in entry.categories() {
        if !tags.contains(&category.label.as_str()) {
            tags.push(&category.label);
        }
    }
    tags
}

fn attachment(enclosure: &Enclosure) -> Attachment<'_> {
    Attachment {
        url: address(&enclosure.url),
        mime_type: &enclosure.media_type,
        size_in_bytes: Some(enclosure.bytes).filter(|&bytes| bytes > 0),
        duration_in_seconds: enclosure.duration_seconds,
    }
}

fn extension<'a>(entry: &'a Entry<'_>) -> Option<ItemExtension<'a>> {
    let article: &'a Article = entry.article;
    let section = article.section.as_ref().and_then(|slug| {
        let category = entry.categories().first()?;
        Some(Section {
            slug: slug.as_str(),
            title: &category.label,
        })
    });
    let picture = article.hero.as_ref().map(picture_facts);
    let related: Vec<_> = entry
        .companions()
        .map(|companion| Related {
            url: address(&companion.url),
            mime_type: &companion.media_type,
        })
        .collect();
    let is_worth_it = section.is_some() || picture.is_some() || !related.is_empty();
    is_worth_it.then_some(ItemExtension {
        section,
        picture,
        related,
    })
}

fn picture_facts(picture: &Picture) -> PictureFacts {
    PictureFacts {
        media_type: picture.kind.media_type(),
        width: Some(picture.width).filter(|&pixels| pixels > 0),
        height: Some(picture.height).filter(|&pixels| pixels > 0),
        size_in_bytes: Some(picture.bytes).filter(|&bytes| bytes > 0),
        alt: line(&picture.alt),
        caption: some_line(picture.caption.as_deref()),
        credit: some_line(picture.credit.as_deref()),
    }
}

fn some_line(text: Option<&str>) -> Option<String> {
    text.map(line).filter(|text| !text.is_empty())
}

fn rfc_3339(at: chrono::DateTime<chrono::FixedOffset>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}
