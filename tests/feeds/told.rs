//! What a feed says about an article, whoever read it.

use chrono::{DateTime, Utc};
use letterpress::feed::File;
use serde_json::Value;

use crate::tree::Node;

/// The facts that every format must tell alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) link: String,
    pub(crate) authors: Vec<String>,
    pub(crate) published: DateTime<Utc>,
    pub(crate) updated: DateTime<Utc>,
    /// Labels of section and tags.
    pub(crate) categories: Vec<String>,
    /// URLs of picture and enclosure.
    pub(crate) media: Vec<String>,
    pub(crate) html: String,
}

pub(crate) fn by_rss(file: &File) -> Vec<Told> {
    let root = Node::root(&file.bytes);
    root.one("channel")
        .all("item")
        .map(|item| {
            let published = DateTime::parse_from_rfc2822(item.text_of("pubDate")).unwrap();
            let updated = item
                .texts_of("atom:updated")
                .first()
                .map_or(published, |text| text.parse().unwrap());
            Told {
                id: item.text_of("guid").to_owned(),
                title: item.text_of("title").to_owned(),
                link: item.text_of("link").to_owned(),
                authors: item.texts_of("dc:creator"),
                published: published.to_utc(),
                updated: updated.to_utc(),
                categories: item.texts_of("category"),
                media: item
                    .all("media:content")
                    .chain(item.all("enclosure"))
                    .map(|media| media.attribute("url").to_owned())
                    .collect(),
                html: item.texts_of("content:encoded").concat(),
            }
        })
        .collect()
}

pub(crate) fn by_atom(file: &File) -> Vec<Told> {
    let root = Node::root(&file.bytes);
    let link = |entry: &Node, rel: &str| -> Vec<String> {
        entry
            .all("link")
            .filter(|link| link.attribute("rel") == rel)
            .map(|link| link.attribute("href").to_owned())
            .collect()
    };
    root.all("entry")
        .map(|entry| Told {
            id: entry.text_of("id").to_owned(),
            title: entry.text_of("title").to_owned(),
            link: link(entry, "alternate").join(" and "),
            authors: entry
                .all("author")
                .map(|author| author.text_of("name").to_owned())
                .collect(),
            published: entry.text_of("published").parse().unwrap(),
            updated: entry.text_of("updated").parse().unwrap(),
            categories: entry
                .all("category")
                .map(|category| category.attribute("label").to_owned())
                .collect(),
            media: entry
                .all("media:content")
                .map(|media| media.attribute("url").to_owned())
                .chain(link(entry, "enclosure"))
                .collect(),
            html: entry.texts_of("content").concat(),
        })
        .collect()
}

pub(crate) fn by_json(file: &File) -> Vec<Told> {
    let document: Value = serde_json::from_slice(&file.bytes).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value, of: &dyn Fn(&Value) -> String| -> Vec<String> {
        value.as_array().into_iter().flatten().map(of).collect()
    };
    document["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| Told {
            id: text(&item["id"]),
            title: text(&item["title"]),
            link: text(&item["url"]),
            authors: list(&item["authors"], &|author| text(&author["name"])),
            published: text(&item["date_published"]).parse().unwrap(),
            updated: text(&item["date_modified"]).parse().unwrap(),
            categories: list(&item["tags"], &text),
            media: item["image"]
                .as_str()
                .map(str::to_owned)
                .into_iter()
                .chain(list(&item["attachments"], &|a| text(&a["url"])))
                .collect(),
            html: text(&item["content_html"]),
        })
        .collect()
}
