//! The podcast feed of a section: RSS with everything that podcast directories
//! ask for (Apple's `itunes:` elements) and what Podcasting 2.0 adds without a
//! service behind it: guid, locked, person, transcript, chapters.

use rss::{
    Channel, Item,
    extension::{
        Extension, ExtensionMap,
        itunes::{ITunesCategory, ITunesChannelExtension, ITunesItemExtension, ITunesOwner},
    },
};

use crate::{
    domain::{
        article::{Article, Companion, PictureType},
        collection::Collection,
        podcast::Podcast,
    },
    feed::{
        Feed, Format, WriterError,
        entry::{Entry, address, line},
        rss as plain,
        stream::Stream,
        xml,
    },
};

/// The file below the folder of its section.
pub const FILE: &str = "podcast.xml";

pub(super) const FORMAT: Format = Format {
    name: "podcast",
    file: FILE,
    media_type: "application/rss+xml",
};

const NAMESPACE: &str = "https://podcastindex.org/namespace/1.0";

/// The podcast of a stream, if it is a section that has one and an episode.
#[must_use]
pub fn of<'a>(stream: &Stream, collection: &'a Collection) -> Option<&'a Podcast> {
    let Stream::Section(slug) = stream else {
        return None;
    };
    let podcast = collection.sections().get(slug)?.podcast.as_ref()?;
    (!episodes(stream, collection).is_empty()).then_some(podcast)
}

/// The articles of a stream that have something to play, newest first: all of
/// them, because directories forget what a feed no longer shows.
#[must_use]
pub fn episodes<'a>(stream: &Stream, collection: &'a Collection) -> Vec<&'a Article> {
    let mut articles = stream.articles(collection);
    articles.retain(|article| {
        let enclosure = article.enclosure.as_ref();
        enclosure.is_some_and(|enclosure| enclosure.is_audio_or_video())
    });
    articles
}

/// `feed` holds the episodes.
pub(super) fn write(feed: &Feed<'_>, podcast: &Podcast) -> Result<Vec<u8>, WriterError> {
    let mut channel: Channel = plain::channel(feed, feed.address(&FORMAT));
    channel
        .namespaces
        .insert("podcast".to_owned(), NAMESPACE.to_owned());
    let names: Vec<&str> = feed.authors.iter().map(|p| p.name.as_str()).collect();
    let author = if names.is_empty() {
        podcast.owner_name.clone()
    } else {
        names.join(", ")
    };
    channel.itunes_ext = Some(ITunesChannelExtension {
        author: Some(author),
        categories: vec![category(podcast)],
        image: Some(address(&podcast.image)),
        explicit: Some(podcast.is_explicit.to_string()),
        owner: Some(ITunesOwner {
            name: Some(line(&podcast.owner_name)),
            email: Some(podcast.owner_email.clone()),
        }),
        summary: Some(feed.description.clone()).filter(|text| !text.is_empty()),
        r#type: Some("episodic".to_owned()),
        ..ITunesChannelExtension::default()
    });
    let mut locked = element("locked", Some(if podcast.is_locked { "yes" } else { "no" }));
    locked
        .attrs
        .insert("owner".to_owned(), podcast.owner_email.clone());
    add(&mut channel.extensions, locked);
    add(
        &mut channel.extensions,
        element("guid", Some(&podcast.guid)),
    );
    for (item, entry) in channel.items.iter_mut().zip(&feed.entries) {
        episode(item, entry, podcast);
    }
    xml::finish(&channel.write_to(Vec::new())?)
}

fn category(podcast: &Podcast) -> ITunesCategory {
    let sub = podcast.category.sub.map(|text| {
        Box::new(ITunesCategory {
            text: text.to_owned(),
            subcategory: None,
        })
    });
    ITunesCategory {
        text: podcast.category.main.to_owned(),
        subcategory: sub,
    }
}

fn episode(item: &mut Item, entry: &Entry<'_>, podcast: &Podcast) {
    let Some(enclosure) = &entry.article.enclosure else {
        return;
    };
    let people = entry.authors();
    let names: Vec<&str> = people.iter().map(|p| p.name.as_str()).collect();
    let is_explicit = enclosure.is_explicit.unwrap_or(podcast.is_explicit);
    item.itunes_ext = Some(ITunesItemExtension {
        author: Some(names.join(", ")).filter(|names| !names.is_empty()),
        duration: enclosure.duration_seconds.map(|n| n.to_string()),
        explicit: Some(is_explicit.to_string()),
        image: cover(entry.article),
        episode: enclosure.episode.map(|n| n.to_string()),
        season: enclosure.season.map(|n| n.to_string()),
        episode_type: Some("full".to_owned()),
        summary: Some(entry.summary()).filter(|text| !text.is_empty()),
        ..ITunesItemExtension::default()
    });
    for person in &people {
        let mut tag = element("person", Some(&person.name));
        if let Some(url) = &person.url {
            tag.attrs.insert("href".to_owned(), url.clone());
        }
        add(&mut item.extensions, tag);
    }
    let companions = [
        ("transcript", &enclosure.transcript),
        ("chapters", &enclosure.chapters),
    ];
    for (name, companion) in companions {
        if let Some(companion) = companion {
            add(&mut item.extensions, linked(name, companion));
        }
    }
}

/// The hero picture, where directories take it for an episode: square, 1400 to
/// 3000 pixels.
fn cover(article: &Article) -> Option<String> {
    let hero = article.hero.as_ref()?;
    let is_kind = matches!(hero.kind, PictureType::Jpeg | PictureType::Png);
    let fits = hero.width == hero.height && (1400..=3000).contains(&hero.width);
    (is_kind && fits).then(|| address(&hero.url))
}

fn linked(name: &str, companion: &Companion) -> Extension {
    let mut tag = element(name, None);
    tag.attrs.insert("url".to_owned(), address(&companion.url));
    tag.attrs
        .insert("type".to_owned(), companion.media_type.clone());
    tag
}

fn element(name: &str, text: Option<&str>) -> Extension {
    Extension {
        name: format!("podcast:{name}"),
        value: text.map(str::to_owned),
        ..Extension::default()
    }
}

fn add(map: &mut ExtensionMap, extension: Extension) {
    map.entry("podcast".to_owned())
        .or_default()
        .entry(extension.name.clone())
        .or_default()
        .push(extension);
}
