//! A reader's own page: what they get, without a login. The link says who they
//! are; asking shows it, and only the button of the form changes something.

use std::collections::BTreeSet;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use tera::Value;

use super::{
    Holder, Site,
    page::{Page, map},
    topics::{Topic, Topics},
};
use crate::{
    domain::{
        article::Slug,
        choice::Choice,
        consent::Evidence,
        digest::Shown,
        subscriber::{Status, Subscriber},
        text::{cut, one_line},
    },
    store::{Departure, Wishes},
    web::gate::{
        body::{self, Form},
        peer::Asker,
    },
};

/// Where a change comes from, for the record.
const SOURCE: &str = "web (preferences)";
/// For how many weeks letters can be stopped.
const PAUSES: [u8; 5] = [1, 2, 4, 8, 12];
/// A name is no longer.
const LONGEST_NAME: usize = 100;
/// More tags than this are folded away.
const FEW_TAGS: usize = 12;

/// What stands above the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    None,
    Saved,
    NoDigest,
}

impl Note {
    fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Saved => Some("saved"),
            Self::NoDigest => Some("no-digest"),
        }
    }
}

pub(super) async fn answer(
    site: &Site,
    asker: &Asker,
    holder: Option<Holder>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let known = match holder {
        Some(holder) => site.store.wishes(holder.reader, (site.now)()).await,
        None => Ok(None),
    };
    let (holder, reader) = match (holder, known) {
        (Some(holder), Ok(Some(reader))) => (holder, reader),
        (_, Ok(_)) => return site.dead_link(&head.headers),
        (_, Err(error)) => return site.failed(&error),
    };
    let topics = Topics::of(&site.folder, &site.pages.publication().title).await;
    if head.method != Method::POST {
        return show(site, &head.headers, &reader, &topics, Note::None).answer();
    }
    let form = match body::form(&head.headers, body).await {
        Ok(form) => form,
        Err(refused) => return site.refused(refused),
    };
    let asked = Asked {
        site,
        holder,
        headers: &head.headers,
        evidence: Evidence {
            source: SOURCE.to_owned(),
            wording: None,
            network: asker.network(),
        },
    };
    match form.value("act") {
        Some("save") => asked.save(&form, reader, &topics).await,
        Some("leave") => asked.leave().await,
        Some("export") => asked.export().await,
        Some("erase") if form.value("sure") == Some("yes") => asked.erase().await,
        _ => show(site, &head.headers, &reader, &topics, Note::None)
            .status(StatusCode::BAD_REQUEST)
            .answer(),
    }
}

/// A reader who pressed a button.
struct Asked<'a> {
    site: &'a Site,
    holder: Holder,
    headers: &'a HeaderMap,
    evidence: Evidence,
}

impl Asked<'_> {
    async fn save(self, form: &Form, mut reader: Subscriber, topics: &Topics) -> Response {
        let Some(wishes) = wishes(self.site, form, &reader, topics) else {
            return show(self.site, self.headers, &reader, topics, Note::NoDigest)
                .status(StatusCode::BAD_REQUEST)
                .answer();
        };
        let (now, id) = ((self.site.now)(), self.holder.reader);
        let kept = self
            .site
            .store
            .wish(id, wishes.clone(), self.evidence, now)
            .await;
        if let Err(error) = kept {
            return self.site.failed(&error);
        }
        reader.name = wishes.name;
        reader.choice = wishes.choice;
        reader.paused_until = wishes.paused_until;
        show(self.site, self.headers, &reader, topics, Note::Saved).answer()
    }

    async fn leave(self) -> Response {
        let (now, reader) = ((self.site.now)(), self.holder.reader);
        let left = self
            .site
            .exit
            .leave(reader, Departure::List, self.evidence, now)
            .await;
        match left {
            Ok(_) => {
                self.site.counts.departures.count(("preferences", "done"));
                let language = self.site.pages.language(self.headers);
                let page = self
                    .site
                    .pages
                    .page("left.html", language, "page-left-heading");
                page.answer()
            }
            Err(error) => self.site.failed(&error),
        }
    }
}

impl Asked<'_> {
    /// All that is kept about the reader, as a file.
    async fn export(self) -> Response {
        let found = self
            .site
            .store
            .personal_data(self.holder.reader.into())
            .await;
        let data = match found {
            Ok(Some(data)) => data,
            Ok(None) => return self.site.dead_link(self.headers),
            Err(error) => return self.site.failed(&error),
        };
        let mut text = serde_json::to_string_pretty(&data).unwrap_or_default();
        text.push('\n');
        let mut response = self.site.pages.data("application/json", text);
        let name = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
        response
    }

    /// Removes all of it.
    async fn erase(self) -> Response {
        let (now, reader) = ((self.site.now)(), self.holder.reader);
        let erased = self
            .site
            .store
            .erase(reader.into(), self.evidence, now)
            .await;
        match erased {
            Ok(_) => {
                self.site
                    .counts
                    .departures
                    .count(("preferences, erased", "done"));
                self.site.told(self.headers, "page-erased", StatusCode::OK)
            }
            Err(error) => self.site.failed(&error),
        }
    }
}

/// What the form says; `None` when no digest is left in it. What it names and
/// nobody offered is passed over.
fn wishes(site: &Site, form: &Form, reader: &Subscriber, topics: &Topics) -> Option<Wishes> {
    let digests = chosen(
        form,
        "digest",
        site.digests.iter().map(|digest| &digest.name),
    );
    if digests.is_empty() && site.digests.len() > 1 {
        return None;
    }
    let old = &reader.choice;
    let offered = |topics: &[Topic], old: &BTreeSet<Slug>| -> Vec<Slug> {
        let topics = topics.iter().map(|topic| topic.slug.clone());
        topics.chain(old.iter().cloned()).collect()
    };
    let sections = offered(&topics.sections, &old.sections);
    let tags = offered(&topics.tags, &old.tags);
    let language = form.value("language").filter(|tag| !tag.is_empty());
    let languages = languages(site, old);
    let name = form
        .value("name")
        .map(|name| cut(&one_line(name), LONGEST_NAME));
    Some(Wishes {
        name: name.filter(|name| !name.is_empty()),
        choice: Choice {
            // All of them is everything, and what there will be.
            digests: match digests.len() == site.digests.len() {
                true => BTreeSet::new(),
                false => digests,
            },
            sections: chosen(form, "section", &sections),
            tags: chosen(form, "tag", &tags),
            language: language
                .filter(|tag| languages.iter().any(|(known, _)| known == tag))
                .map(str::to_owned),
            content: match form.value("content") {
                Some("full") => Some(Shown::Full),
                Some("summary") => Some(Shown::Summary),
                _ => None,
            },
        },
        paused_until: pause(form, reader, (site.now)()),
    })
}

/// Of what is offered, what the form has ticked.
fn chosen<'s>(
    form: &Form,
    field: &str,
    offered: impl IntoIterator<Item = &'s Slug>,
) -> BTreeSet<Slug> {
    let ticked: BTreeSet<&str> = form.values(field).collect();
    let offered = offered.into_iter();
    offered
        .filter(|slug| ticked.contains(slug.as_str()))
        .cloned()
        .collect()
}

/// Until when letters stop: as before, not at all, or so many weeks from now.
fn pause(form: &Form, reader: &Subscriber, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let asked = form.value("pause").unwrap_or("keep");
    if asked == "keep" {
        return reader.paused_until;
    }
    let weeks = PAUSES
        .into_iter()
        .find(|weeks| weeks.to_string() == asked)?;
    Some(now + TimeDelta::weeks(weeks.into()))
}

/// The languages that letters can have, by tag, with their own names.
fn languages(site: &Site, old: &Choice) -> Vec<(String, String)> {
    let mut known = site.pages.languages();
    if let Some(tag) = &old.language
        && known.iter().all(|(one, _)| one != tag)
    {
        known.push((tag.clone(), tag.clone()));
    }
    known
}

fn show<'s>(
    site: &'s Site,
    headers: &HeaderMap,
    reader: &Subscriber,
    topics: &Topics,
    note: Note,
) -> Page<'s> {
    let choice = &reader.choice;
    // A reader who chose a language is spoken to in it.
    let language = match &choice.language {
        Some(tag) if site.pages.words(tag).is_known() => tag.clone(),
        _ => site.pages.language(headers),
    };
    let digests = site.digests.iter().map(|digest| {
        option(
            digest.name.as_str(),
            &digest.title,
            choice.takes(&digest.name),
        )
    });
    let digests: Vec<Value> = digests.collect();
    let languages = languages(site, choice).into_iter().map(|(tag, name)| {
        let is_chosen = choice.language.as_ref() == Some(&tag);
        option(&tag, &name, is_chosen)
    });
    let until = reader.paused_until.map(|until| {
        let local = until.with_timezone(&site.pages.publication().timezone);
        site.pages.words(&language).day(local.fixed_offset())
    });
    let pauses: Vec<Value> = PAUSES.into_iter().map(Value::from).collect();
    let languages: Vec<Value> = languages.collect();
    let tags = options(&topics.tags, &choice.tags);
    site.pages
        .page("preferences.html", language, "page-preferences-heading")
        .with("note", note.word())
        .with("address", reader.address.to_string())
        .with("is_active", reader.status == Status::Active)
        .with("name", reader.name.clone().unwrap_or_default())
        .with(
            "digests",
            if digests.len() > 1 {
                digests
            } else {
                Vec::new()
            },
        )
        .with("sections", options(&topics.sections, &choice.sections))
        .with("has_many_tags", tags.len() > FEW_TAGS)
        .with("tags", tags)
        .with("languages", languages)
        .with("content", choice.content.map(Shown::as_str))
        .with("paused_until", until)
        .with("pauses", pauses)
}

/// Everything that was published and, should it be gone, what was chosen before.
fn options(topics: &[Topic], chosen: &BTreeSet<Slug>) -> Vec<Value> {
    let known = topics.iter().map(|topic| {
        option(
            topic.slug.as_str(),
            &topic.title,
            chosen.contains(&topic.slug),
        )
    });
    let gone = chosen
        .iter()
        .filter(|slug| topics.iter().all(|topic| topic.slug != **slug));
    known
        .chain(gone.map(|slug| option(slug.as_str(), slug.as_str(), true)))
        .collect()
}

fn option(value: &str, title: &str, is_chosen: bool) -> Value {
    map([
        ("value", value.into()),
        ("title", title.into()),
        ("is_chosen", is_chosen.into()),
    ])
}
