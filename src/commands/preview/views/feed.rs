//! A feed as a reader shows it, and its documents as they are.

use serde::Serialize;

use super::{
    super::{
        super::{
            feeds::{Maker, Unmade},
            talk::count,
        },
        frames::{self, local_address},
        press::Press,
        proof::Proof,
        routes::HOME,
        ui::{self, Place, address, size},
    },
    Fact, Shown, Tab,
    code::{self, Language, Line},
    feeds, moment,
};
use crate::{
    domain::{
        article::Enclosure,
        language::{day_text, direction},
    },
    feed::{Entry, Feed, File, Stream},
    web::{Answer, Asked},
};

#[derive(Serialize)]
struct View {
    kind: &'static str,
    title: String,
    description: String,
    tabs: Vec<Tab>,
    files: Vec<Document>,
    archive: Vec<Document>,
    facts: Vec<Fact>,
    entries: Vec<Shows>,
    lines: Vec<Line>,
    is_source: bool,
}

/// A document to subscribe to or to read.
#[derive(Serialize)]
struct Document {
    label: String,
    url: String,
    /// To copy into a reader.
    address: String,
    media_type: &'static str,
    size: String,
}

/// An entry in a feed reader.
#[derive(Serialize)]
struct Shows {
    title: String,
    url: String,
    article: String,
    byline: String,
    published: String,
    categories: Vec<String>,
    summary: String,
    html: Option<String>,
    language: String,
    dir: &'static str,
    picture: Option<Shown>,
    enclosure: Option<Sound>,
}

/// Something to hear, see or download.
#[derive(Serialize)]
pub(super) struct Sound {
    url: String,
    is_audio: bool,
    is_video: bool,
    is_remote: bool,
    facts: String,
}

impl Sound {
    /// An enclosure with what is known of it.
    pub(super) fn of(enclosure: &Enclosure, press: &Press) -> Self {
        let bytes = usize::try_from(enclosure.bytes).unwrap_or(usize::MAX);
        let length = enclosure.duration_seconds.map(|all| {
            let (minutes, seconds) = (all / 60, all % 60);
            format!(", {minutes}:{seconds:02} min")
        });
        Self {
            url: local_address(&enclosure.url, &press.config.publication.base_url),
            is_audio: enclosure.media_type.starts_with("audio/"),
            is_video: enclosure.media_type.starts_with("video/"),
            is_remote: enclosure.file.is_none(),
            facts: format!(
                "{}, {}{}",
                enclosure.media_type,
                size(bytes),
                length.unwrap_or_default()
            ),
        }
    }
}

/// What a stream's documents are, and what a reader shows of them.
struct Made {
    files: Vec<File>,
    entries: Vec<Shows>,
    facts: Vec<Fact>,
    description: String,
    archive: Vec<u32>,
}

/// The page of the stream with this folder.
pub(in super::super) fn show(proof: &Proof, folder: &str, asked: &Asked) -> Answer {
    let press = &proof.press;
    let maker = Maker::new(&press.config, &press.loaded, &press.chronicle);
    let Some(stream) = maker.streams().iter().find(|one| one.path() == folder) else {
        return ui::not_here(proof, "no feed has this folder");
    };
    let made = match made(press, &maker, stream) {
        Ok(made) => made,
        Err(error) => return ui::broken(proof, &error, None),
    };
    let view = asked.value("view");
    let name = |file: &File| file.path.rsplit('/').next().unwrap_or_default().to_owned();
    let source = made.files.iter().find(|file| Some(name(file)) == view);
    let lines = source.map(|file| {
        let language = match file.path.ends_with(".json") {
            true => Language::Json,
            false => Language::Xml,
        };
        code::lines(&String::from_utf8_lossy(&file.bytes), language)
    });
    let here = format!("{HOME}feed/{folder}");
    let mut tabs = vec![Tab {
        label: "In a reader",
        url: here.clone(),
        is_here: source.is_none(),
    }];
    let (kind, title) = feeds::name(stream, press);
    let labels = feeds::files(stream, press);
    tabs.extend(
        made.files
            .iter()
            .zip(&labels)
            .map(|(file, (label, _))| Tab {
                label,
                url: format!("{here}?view={}", name(file)),
                is_here: source == Some(file),
            }),
    );
    let documents = made
        .files
        .iter()
        .zip(labels)
        .map(|(file, (label, url))| Document {
            label: label.to_owned(),
            address: format!("http://{}{url}", asked.host),
            url,
            media_type: file.media_type,
            size: size(file.bytes.len()),
        });
    let view = View {
        kind,
        description: made.description,
        tabs,
        files: documents.collect(),
        archive: archive(press, stream, &made.archive),
        facts: made.facts,
        is_source: lines.is_some(),
        entries: if lines.is_some() {
            Vec::new()
        } else {
            made.entries
        },
        lines: lines.unwrap_or_default(),
        title,
    };
    let title = format!("Feed: {}", view.title);
    ui::page(proof, "feed.html", (Some(Place::Feeds), &title), &view)
}

fn made(press: &Press, maker: &Maker<'_>, stream: &Stream) -> Result<Made, Unmade> {
    let podcast = maker.podcast(stream)?;
    maker.one(stream, |feed| {
        let mut files = feed.files()?;
        files.extend(podcast);
        Ok(Made {
            files,
            entries: feed
                .entries
                .iter()
                .map(|entry| shown(press, entry))
                .collect(),
            facts: facts(press, feed),
            description: feed.description.clone(),
            archive: maker.archive_numbers(stream),
        })
    })
}

fn facts(press: &Press, feed: &Feed<'_>) -> Vec<Fact> {
    let language = &press.config.publication.language;
    let mut facts = vec![
        Fact::of("Entries", feed.entries.len().to_string()),
        Fact::of("Language", feed.language.as_str()),
        Fact::of("Permanent id", feed.id.as_str()),
    ];
    if !feed.entries.is_empty() {
        facts.push(Fact::of("Updated", moment(feed.updated, language)));
    }
    if !feed.withdrawn.is_empty() {
        let taken = count(feed.withdrawn.len(), "article");
        facts.push(Fact::of("Taken back", taken));
    }
    facts.extend(feed.hub.map(|hub| Fact::of("Hub", hub.as_str())));
    facts
}

fn shown(press: &Press, entry: &Entry<'_>) -> Shows {
    let publication = &press.config.publication;
    let article = entry.article;
    let language = article.language.as_deref().unwrap_or(&publication.language);
    let names: Vec<String> = entry.authors().into_iter().map(|one| one.name).collect();
    Shows {
        title: entry.title(),
        url: local_address(&article.url, &publication.base_url),
        article: address("article", &article.source),
        byline: names.join(", "),
        published: day_text(entry.published(), &publication.language),
        categories: entry
            .categories()
            .iter()
            .map(|one| one.label.clone())
            .collect(),
        summary: entry.summary(),
        html: entry
            .html()
            .map(|html| frames::local(&html, &publication.base_url)),
        language: language.to_owned(),
        dir: direction(language),
        picture: article.hero.as_ref().map(|hero| Shown::of(hero, press)),
        enclosure: article.enclosure.as_ref().map(|one| Sound::of(one, press)),
    }
}

/// The archive documents, newest first.
fn archive(press: &Press, stream: &Stream, numbers: &[u32]) -> Vec<Document> {
    let base = press.config.publication.base_url.path();
    let both = numbers.iter().rev().flat_map(|&number| {
        let files = crate::feed::archive_files(stream, number).into_iter();
        files.map(move |file| Document {
            label: format!("{}, document {number}", file.label),
            url: format!("{base}{}", file.path),
            address: String::new(),
            media_type: file.media_type,
            size: String::new(),
        })
    });
    both.collect()
}
