//! Every feed there is, with the addresses to subscribe to.

use serde::Serialize;

use super::super::{
    press::Press,
    proof::Proof,
    routes::HOME,
    ui::{self, Place},
};
use crate::{
    feed::{self, Stream},
    web::Answer,
};

#[derive(Serialize)]
struct View {
    groups: Vec<Group>,
    opml: String,
}

/// Feeds of one kind.
#[derive(Serialize)]
struct Group {
    title: &'static str,
    feeds: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    title: String,
    url: String,
    articles: usize,
    files: Vec<(&'static str, String)>,
}

/// What kind of stream it is, and what it is called.
pub(super) fn name(stream: &Stream, press: &Press) -> (&'static str, String) {
    let collection = &press.loaded.collection;
    match stream {
        Stream::Whole => ("Whole publication", press.config.publication.title.clone()),
        Stream::Section(slug) => {
            let section = collection.sections().get(slug);
            let title = section.map(|section| section.title.clone());
            ("Section", title.unwrap_or_else(|| slug.to_string()))
        }
        Stream::Tag(slug) => {
            let label = collection.tag(slug).map(|tag| tag.label.clone());
            ("Tag", label.unwrap_or_else(|| slug.to_string()))
        }
        Stream::Author(slug) => {
            let name = collection.byline(slug).map(|one| one.author.name.clone());
            ("Author", name.unwrap_or_else(|| slug.to_string()))
        }
    }
}

/// The files of a stream and what people call them.
pub(super) fn files(stream: &Stream, press: &Press) -> Vec<(&'static str, String)> {
    let base = press.config.publication.base_url.path();
    let places = feed::files_of(stream, &press.loaded.collection).into_iter();
    places
        .map(|place| (place.label, format!("{base}{}", place.path)))
        .collect()
}

/// The page.
pub(in super::super) fn show(proof: &Proof) -> Answer {
    let press = &proof.press;
    let collection = &press.loaded.collection;
    let mut groups: Vec<Group> = ["Whole publication", "Section", "Tag", "Author"]
        .map(|title| Group {
            title,
            feeds: Vec::new(),
        })
        .into();
    for stream in feed::streams(collection) {
        let (kind, title) = name(&stream, press);
        let group = groups.iter_mut().find(|group| group.title == kind);
        if let Some(group) = group {
            group.feeds.push(Listed {
                title,
                url: format!("{HOME}feed/{}", stream.path()),
                articles: stream.articles(collection).len(),
                files: files(&stream, press),
            });
        }
    }
    groups.retain(|group| !group.feeds.is_empty());
    let view = View {
        groups,
        opml: format!("{}{}", press.config.publication.base_url.path(), feed::LIST),
    };
    ui::page(proof, "feeds.html", (Some(Place::Feeds), "Feeds"), &view)
}
