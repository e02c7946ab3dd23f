//! Atom 1.0 (RFC 4287) with Media RSS for the hero picture.

use std::collections::BTreeMap;

use atom_syndication::{
    Category, Content, Entry as AtomEntry, Feed as AtomFeed, Generator, Link, Person as AtomPerson,
    Text,
    extension::{Extension, ExtensionMap},
};
use chrono::SecondsFormat;
use quick_xml::escape::escape;

use crate::{
    domain::article::Picture,
    feed::{
        Feed, Format, GENERATOR, HISTORY_NAMESPACE, WriterError,
        entry::{Entry, MEDIA_NAMESPACE, Media, Person, address},
        xml,
    },
};

pub(super) const FORMAT: Format = Format {
    name: "Atom",
    file: "atom.xml",
    media_type: "application/atom+xml",
};

/// The namespace of RFC 6721.
const TOMBSTONES_NAMESPACE: &str = "http://purl.org/atompub/tombstones/1.0";

pub(super) fn write(feed: &Feed<'_>) -> Result<Vec<u8>, WriterError> {
    let namespaces = [
        ("media", MEDIA_NAMESPACE, feed.has_pictures()),
        ("fh", HISTORY_NAMESPACE, feed.is_archive()),
        ("at", TOMBSTONES_NAMESPACE, !feed.withdrawn.is_empty()),
    ]
    .into_iter()
    .filter(|(_, _, is_used)| *is_used)
    .map(|(prefix, uri, _)| (prefix.to_owned(), uri.to_owned()))
    .collect();
    let document = AtomFeed {
        title: Text::plain(feed.title.as_str()),
        subtitle: some_text(&feed.description, None),
        id: feed.id.clone(),
        updated: feed.updated,
        authors: people(&feed.authors),
        generator: Some(Generator {
            value: GENERATOR.to_owned(),
            ..Generator::default()
        }),
        icon: feed.icon.map(|icon| address(&icon.url)),
        logo: feed.logo.map(|logo| address(&logo.url)),
        links: feed_links(feed),
        rights: feed.rights.as_deref().map(Text::plain),
        lang: Some(feed.language.clone()),
        entries: feed.entries.iter().map(|e| entry(e, feed)).collect(),
        namespaces,
        extensions: feed_extensions(feed),
        ..AtomFeed::default()
    };
    xml::finish(&document.write_to(Vec::new())?)
}

fn feed_links(feed: &Feed<'_>) -> Vec<Link> {
    let own = link("self", feed.address(&FORMAT), Some(FORMAT.media_type));
    let page = link("alternate", address(&feed.home_page), Some("text/html"));
    // Archive documents do not change, so there is nothing to be told of.
    let hub = feed.hub.filter(|_| !feed.is_archive());
    let hub = hub.map(|hub| link("hub", address(hub), None));
    let history = feed.history(&FORMAT).into_iter();
    let history = history.map(|(rel, href)| link(rel, href, Some(FORMAT.media_type)));
    [own, page].into_iter().chain(hub).chain(history).collect()
}

/// What an archive is (RFC 5005, 4) and what was taken back (RFC 6721, 3).
fn feed_extensions(feed: &Feed<'_>) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    let mut add = |prefix: &str, name: &str, elements: Vec<Extension>| {
        if !elements.is_empty() {
            let by_name = BTreeMap::from([(name.to_owned(), elements)]);
            map.insert(prefix.to_owned(), by_name);
        }
    };
    let archive = Extension {
        name: "fh:archive".to_owned(),
        ..Extension::default()
    };
    add(
        "fh",
        "archive",
        feed.is_archive().then_some(archive).into_iter().collect(),
    );
    let stones = feed.withdrawn.iter().map(|stone| Extension {
        name: "at:deleted-entry".to_owned(),
        attrs: BTreeMap::from([
            ("ref".to_owned(), escape(stone.id.as_str()).into_owned()),
            (
                "when".to_owned(),
                stone.at.to_rfc3339_opts(SecondsFormat::Secs, true),
            ),
        ]),
        ..Extension::default()
    });
    add("at", "deleted-entry", stones.collect());
    map
}

fn entry(entry: &Entry<'_>, feed: &Feed<'_>) -> AtomEntry {
    let article = entry.article;
    // Texts carry the language, because the writer has none for an entry.
    let language = article.language.clone().filter(|tag| *tag != feed.language);
    let page = link("alternate", entry.link(), Some("text/html"));
    let enclosure = article.enclosure.as_ref().map(|enclosure| Link {
        length: Some(enclosure.bytes.to_string()).filter(|_| enclosure.bytes > 0),
        ..link(
            "enclosure",
            address(&enclosure.url),
            Some(&enclosure.media_type),
        )
    });
    let related = entry.companions().map(|companion| {
        link(
            "related",
            address(&companion.url),
            Some(&companion.media_type),
        )
    });
    AtomEntry {
        title: Text {
            lang: language.clone(),
            ..Text::plain(entry.title())
        },
        id: article.id.to_string(),
        updated: entry.updated(),
        published: Some(entry.published()),
        authors: people(&entry.authors()),
        categories: entry
            .categories()
            .iter()
            .map(|category| Category {
                term: category.term.clone(),
                scheme: Some(category.scheme.clone()),
                label: Some(category.label.clone()),
            })
            .collect(),
        links: std::iter::once(page)
            .chain(enclosure)
            .chain(related)
            .collect(),
        summary: some_text(&entry.summary(), language.clone()),
        content: entry.html().map(|html| Content {
            value: Some(html.into_owned()),
            content_type: Some("html".to_owned()),
            lang: language,
            ..Content::default()
        }),
        extensions: article.hero.as_ref().map(extensions).unwrap_or_default(),
        ..AtomEntry::default()
    }
}

/// An empty text element warns, so nothing is said where there is nothing to say.
fn some_text(text: &str, lang: Option<String>) -> Option<Text> {
    (!text.is_empty()).then(|| Text {
        lang,
        ..Text::plain(text)
    })
}

fn link(rel: &str, href: String, media_type: Option<&str>) -> Link {
    Link {
        rel: rel.to_owned(),
        href,
        mime_type: media_type.map(str::to_owned),
        ..Link::default()
    }
}

fn people(people: &[Person]) -> Vec<AtomPerson> {
    people
        .iter()
        .map(|person| AtomPerson {
            name: person.name.clone(),
            email: person.email.clone(),
            uri: person.url.clone(),
            ..AtomPerson::default()
        })
        .collect()
}

fn extensions(picture: &Picture) -> ExtensionMap {
    let media = Media::of(picture);
    let children = media
        .children
        .into_iter()
        .map(|(name, text)| {
            let child = Extension {
                name: format!("media:{name}"),
                value: Some(text),
                ..Extension::default()
            };
            (name.to_owned(), vec![child])
        })
        .collect();
    let content = Extension {
        name: "media:content".to_owned(),
        attrs: media
            .attributes
            .into_iter()
            // atom_syndication 0.12 writes attributes of extensions as they are.
            .map(|(name, value)| (name.to_owned(), escape(value).into_owned()))
            .collect(),
        children,
        ..Extension::default()
    };
    let by_name = BTreeMap::from([("content".to_owned(), vec![content])]);
    BTreeMap::from([("media".to_owned(), by_name)])
}
