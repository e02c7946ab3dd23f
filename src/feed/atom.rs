//! Atom 1.0 (RFC 4287) with Media RSS for the hero picture.

use std::collections::BTreeMap;

use atom_syndication::{
    Category, Content, Entry as AtomEntry, Feed as AtomFeed, Generator, Link, Person as AtomPerson,
    Text,
    extension::{Extension, ExtensionMap},
};
use quick_xml::escape::escape;

use crate::{
    domain::article::Picture,
    feed::{
        Feed, Format, GENERATOR, WriterError,
        entry::{Entry, MEDIA_NAMESPACE, Media, Person, address},
        xml,
    },
};

pub(super) const FORMAT: Format = Format {
    name: "Atom",
    file: "atom.xml",
    media_type: "application/atom+xml",
};

pub(super) fn write(feed: &Feed<'_>) -> Result<Vec<u8>, WriterError> {
    let namespaces = if feed.has_pictures() {
        BTreeMap::from([("media".to_owned(), MEDIA_NAMESPACE.to_owned())])
    } else {
        BTreeMap::new()
    };
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
        ..AtomFeed::default()
    };
    xml::finish(&document.write_to(Vec::new())?)
}

fn feed_links(feed: &Feed<'_>) -> Vec<Link> {
    let own = link("self", feed.address(&FORMAT), Some(FORMAT.media_type));
    let page = link("alternate", address(&feed.home_page), Some("text/html"));
    let hub = feed.hub.map(|hub| link("hub", address(hub), None));
    [own, page].into_iter().chain(hub).collect()
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
        links: std::iter::once(page).chain(enclosure).collect(),
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
