//! RSS 2.0 with the modules that every reader knows: content, Dublin Core,
//! Media RSS, Atom links.

use chrono::{DateTime, FixedOffset, SecondsFormat};
use quick_xml::escape::partial_escape;
use rss::{
    Category, Channel, Enclosure, Guid, Image, Item,
    extension::{
        Extension, ExtensionMap,
        atom::{AtomExtension, Link},
        dublincore::DublinCoreExtension,
    },
};

use crate::{
    domain::publication::Logo,
    feed::{
        Feed, Format, GENERATOR, HISTORY_NAMESPACE, WriterError,
        entry::{Entry, MEDIA_NAMESPACE, Media, Person, address},
        xml,
    },
};

pub(super) const FORMAT: Format = Format {
    name: "RSS",
    file: "rss.xml",
    media_type: "application/rss+xml",
};

/// Readers refuse wider channel images (RSS 2.0, `image`).
const WIDEST_IMAGE: u32 = 144;
/// Readers refuse higher channel images (RSS 2.0, `image`).
const HIGHEST_IMAGE: u32 = 400;

/// Readers may ask every hour: a hub or the reader's own judgement makes it less.
const PERIOD: [(&str, &str); 2] = [("updatePeriod", "hourly"), ("updateFrequency", "1")];
const SYNDICATION_NAMESPACE: &str = "http://purl.org/rss/1.0/modules/syndication/";

pub(super) fn write(feed: &Feed<'_>) -> Result<Vec<u8>, WriterError> {
    let mut channel = channel(feed, feed.address(&FORMAT));
    let links = channel.atom_ext.get_or_insert_default();
    links
        .links
        .extend(feed.history(&FORMAT).into_iter().map(|(rel, href)| Link {
            href,
            rel: rel.to_owned(),
            mime_type: Some(FORMAT.media_type.to_owned()),
            ..Link::default()
        }));
    let namespace = |channel: &mut Channel, prefix: &str, uri: &str| {
        let namespaces = &mut channel.namespaces;
        namespaces.insert(prefix.to_owned(), uri.to_owned());
    };
    if feed.is_archive() {
        namespace(&mut channel, "fh", HISTORY_NAMESPACE);
        add(&mut channel.extensions, plain("fh:archive", ""));
    } else {
        namespace(&mut channel, "sy", SYNDICATION_NAMESPACE);
        for (name, value) in PERIOD {
            add(&mut channel.extensions, plain(&format!("sy:{name}"), value));
        }
    }
    xml::finish(&channel.write_to(Vec::new())?)
}

/// The channel with its items, under its own address.
pub(super) fn channel(feed: &Feed<'_>, own: String) -> Channel {
    let last_change = (!feed.entries.is_empty()).then(|| rfc_2822(feed.updated));
    let mut channel = Channel {
        title: feed.title.clone(),
        link: address(&feed.home_page),
        description: feed.description.clone(),
        language: Some(feed.language.clone()),
        copyright: feed.rights.clone(),
        pub_date: last_change.clone(),
        last_build_date: last_change,
        generator: Some(GENERATOR.to_owned()),
        image: feed.logo.and_then(|logo| image(logo, feed)),
        atom_ext: Some(links(feed, own)),
        dublin_core_ext: creators(&feed.authors),
        items: feed.entries.iter().map(|entry| item(entry, feed)).collect(),
        ..Channel::default()
    };
    if feed.has_pictures() {
        channel
            .namespaces
            .insert("media".to_owned(), MEDIA_NAMESPACE.to_owned());
    }
    channel
}

fn links(feed: &Feed<'_>, own: String) -> AtomExtension {
    let own = Link {
        href: own,
        rel: "self".to_owned(),
        mime_type: Some(FORMAT.media_type.to_owned()),
        ..Link::default()
    };
    let hub = feed.hub.filter(|_| !feed.is_archive()).map(|hub| Link {
        href: address(hub),
        rel: "hub".to_owned(),
        ..Link::default()
    });
    AtomExtension {
        links: std::iter::once(own).chain(hub).collect(),
    }
}

/// The logo, if it is of a size and kind that RSS allows. Title and link must
/// equal the channel's.
fn image(logo: &Logo, feed: &Feed<'_>) -> Option<Image> {
    let path = logo.url.path().to_ascii_lowercase();
    let is_known = [".png", ".jpg", ".jpeg", ".gif"]
        .iter()
        .any(|ending| path.ends_with(ending));
    let fits =
        (1..=WIDEST_IMAGE).contains(&logo.width) && (1..=HIGHEST_IMAGE).contains(&logo.height);
    (is_known && fits).then(|| Image {
        url: address(&logo.url),
        title: feed.title.clone(),
        link: address(&feed.home_page),
        width: Some(logo.width.to_string()),
        height: Some(logo.height.to_string()),
        description: None,
    })
}

fn item(entry: &Entry<'_>, feed: &Feed<'_>) -> Item {
    let article = entry.article;
    let link = entry.link();
    let summary = entry.summary();
    let content = entry.html();
    let mut dublin_core = creators(&entry.authors());
    if let Some(language) = article
        .language
        .as_ref()
        .filter(|tag| **tag != feed.language)
    {
        dublin_core
            .get_or_insert_default()
            .languages
            .push(language.clone());
    }
    Item {
        title: Some(entry.title()),
        guid: Some(Guid {
            value: article.id.to_string(),
            permalink: article.id.is_web_url() && article.id.as_str() == link,
        }),
        link: Some(link),
        // HTML by convention, so plain text is escaped once more; there even if
        // empty, because content without description warns.
        description: (content.is_some() || !summary.is_empty())
            .then(|| partial_escape(summary.as_str()).into_owned()),
        content: content.map(|html| html.into_owned()),
        pub_date: Some(rfc_2822(entry.published())),
        categories: entry
            .categories()
            .iter()
            .map(|category| Category {
                name: category.label.clone(),
                domain: Some(category.scheme.clone()),
            })
            .collect(),
        enclosure: article.enclosure.as_ref().map(|enclosure| Enclosure {
            url: address(&enclosure.url),
            length: enclosure.bytes.to_string(),
            mime_type: enclosure.media_type.clone(),
        }),
        extensions: extensions(entry),
        atom_ext: related(entry),
        dublin_core_ext: dublin_core,
        ..Item::default()
    }
}

/// `dc:creator`, because `author` wants an email address; never both.
fn creators(people: &[Person]) -> Option<DublinCoreExtension> {
    (!people.is_empty()).then(|| DublinCoreExtension {
        creators: people.iter().map(|person| person.name.clone()).collect(),
        ..DublinCoreExtension::default()
    })
}

/// What goes with an enclosure: RSS has no element for it.
fn related(entry: &Entry<'_>) -> Option<AtomExtension> {
    let links: Vec<Link> = entry
        .companions()
        .map(|companion| Link {
            href: address(&companion.url),
            rel: "related".to_owned(),
            mime_type: Some(companion.media_type.clone()),
            ..Link::default()
        })
        .collect();
    (!links.is_empty()).then_some(AtomExtension { links })
}

/// What RSS itself has no element for: the hero picture and a later change.
fn extensions(entry: &Entry<'_>) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    if let Some(picture) = &entry.article.hero {
        add(&mut map, media(&Media::of(picture)));
    }
    if entry.updated() != entry.published() {
        let updated = entry.updated().to_rfc3339_opts(SecondsFormat::Secs, false);
        add(&mut map, plain("atom:updated", &updated));
    }
    map
}

fn add(map: &mut ExtensionMap, extension: Extension) {
    let prefix = extension.name.split(':').next().unwrap_or_default();
    map.entry(prefix.to_owned())
        .or_default()
        .entry(extension.name.clone())
        .or_default()
        .push(extension);
}

fn media(media: &Media) -> Extension {
    Extension {
        name: "media:content".to_owned(),
        value: None,
        attrs: media
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        children: media
            .children
            .iter()
            .map(|(name, text)| {
                let child = plain(&format!("media:{name}"), text);
                ((*name).to_owned(), vec![child])
            })
            .collect(),
    }
}

fn plain(name: &str, text: &str) -> Extension {
    Extension {
        name: name.to_owned(),
        value: Some(text.to_owned()).filter(|text| !text.is_empty()),
        ..Extension::default()
    }
}

/// RFC 2822 3.3 with a two-digit day: `Fri, 04 Dec 2026 07:00:00 +0200`.
fn rfc_2822(at: DateTime<FixedOffset>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S %z").to_string()
}
