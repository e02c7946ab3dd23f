//! What readers can choose from: the sections and tags that were published, as
//! the list of feeds beside them names them.

use std::{io::Read, path::Path};

use quick_xml::{Reader, XmlVersion, events::Event};

use crate::{
    domain::{article::Slug, text::one_line},
    feed,
};

/// A list of feeds that is larger than this is none of ours.
const LARGEST: u64 = 8 << 20;

/// Something to choose, and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) slug: Slug,
    pub(super) title: String,
}

/// Sections and tags, in the order of the publication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topics {
    pub(super) sections: Vec<Topic>,
    pub(super) tags: Vec<Topic>,
}

impl Topics {
    /// Those of the newest build; none where nothing was published.
    pub(super) async fn of(folder: &Path, publication: &str) -> Self {
        let (file, publication) = (folder.join(feed::LIST), publication.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            let file = std::fs::File::open(file)?;
            file.take(LARGEST).read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(Self::read(&text, &publication))
        });
        read.await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// What cannot be read is left out: readers then choose from less.
    fn read(opml: &str, publication: &str) -> Self {
        let mut topics = Self::default();
        let mut reader = Reader::from_str(opml);
        let (version, decoder) = (XmlVersion::Explicit1_0, reader.decoder());
        while let Ok(event) = reader.read_event() {
            let outline = match event {
                Event::Eof => break,
                Event::Empty(tag) | Event::Start(tag) => tag,
                _ => continue,
            };
            let value = |name: &str| {
                let attribute = outline.try_get_attribute(name).ok()??;
                let value = attribute
                    .decoded_and_normalized_value(version, decoder)
                    .ok()?;
                Some(value.into_owned())
            };
            let (Some(title), Some(url)) = (value("title"), value("xmlUrl")) else {
                continue;
            };
            let Some((kind, slug)) = stream(&url) else {
                continue;
            };
            let title = one_line(&title);
            let title = title
                .strip_prefix(publication)
                .and_then(|rest| rest.strip_prefix(": "))
                .map_or(title.clone(), str::to_owned);
            let topic = Topic { slug, title };
            match kind {
                Kind::Section => topics.sections.push(topic),
                Kind::Tag => topics.tags.push(topic),
            }
        }
        topics
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Section,
    Tag,
}

/// Which section or tag a feed is of. A section's podcast is not another one.
fn stream(url: &str) -> Option<(Kind, Slug)> {
    let below = url.strip_suffix("/atom.xml")?;
    let mut steps = below.rsplit('/');
    let (slug, folder) = (steps.next()?, steps.next()?);
    let kind = match folder {
        "sections" => Kind::Section,
        "tags" => Kind::Tag,
        _ => return None,
    };
    Some((kind, slug.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_tags_are_read_from_the_list_of_feeds() {
        let topics = Topics::read(
            r#"<?xml version="1.0" encoding="utf-8"?><opml version="2.0"><head/><body>
            <outline title="Mag" xmlUrl="https://example.org/atom.xml"/>
            <outline title="Mag: Food &amp; drink" xmlUrl="https://example.org/sections/food/atom.xml"/>
            <outline title="Mag: Food (podcast)" xmlUrl="https://example.org/sections/food/podcast.xml"/>
            <outline title="Mag: beans" xmlUrl="https://example.org/tags/beans/atom.xml"/>
            <outline title="Mag: N. D." xmlUrl="https://example.org/authors/n-d/atom.xml"/>
            <outline title="odd" xmlUrl="https://example.org/tags/%2E%2E/atom.xml"/>
            <outline xmlUrl="#,
            "Mag",
        );
        let named = |topics: &[Topic]| -> Vec<String> {
            let words = topics.iter();
            words.map(|t| format!("{} {}", t.slug, t.title)).collect()
        };
        assert_eq!(named(&topics.sections), ["food Food & drink"]);
        assert_eq!(named(&topics.tags), ["beans beans"]);
    }
}
