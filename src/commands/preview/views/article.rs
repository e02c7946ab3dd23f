//! An article as a feed reader shows it, as its page, and as its file with
//! every problem at its line.

use std::{path::Path, sync::Arc};

use serde::Serialize;

use super::{
    super::{
        frames::{self, Scheme, local_address},
        press::Press,
        proof::Proof,
        routes::HOME,
        ui::{self, Finding, Place, address, size},
    },
    Fact, Shown, Tab,
    code::{self, Line},
    moment, reason,
};
use crate::{
    content::Renderer,
    domain::{
        article::{Article, Body},
        language::{day_text, direction},
    },
    feed,
    web::{Answer, Asked},
};

/// Words that people read in a minute.
const WORDS_A_MINUTE: usize = 230;

#[derive(Serialize)]
struct View {
    title: String,
    source: String,
    held_back: Option<String>,
    tabs: Vec<Tab>,
    findings: Vec<Finding>,
    facts: Vec<Fact>,
    streams: Vec<Fact>,
    reader: Option<Reader>,
    frame: Option<Frame>,
    lines: Vec<Line>,
    /// Why there is nothing to show.
    note: Option<String>,
}

/// An article in a feed reader.
#[derive(Serialize)]
struct Reader {
    title: String,
    byline: String,
    published: String,
    language: String,
    dir: &'static str,
    hero: Option<Shown>,
    html: String,
    enclosure: Option<super::feed::Sound>,
}

/// A page in frames as wide as its readers' screens.
#[derive(Serialize)]
pub(super) struct Frame {
    pub(super) url: String,
    pub(super) schemes: Vec<SchemeTab>,
    pub(super) scheme: &'static str,
}

/// A choice of colours.
#[derive(Serialize)]
pub(super) struct SchemeTab {
    label: &'static str,
    url: String,
    is_here: bool,
}

impl Frame {
    /// Shows what is at `target`; the choice of colours is made at `here`,
    /// which ends in `?` or `&`.
    pub(super) fn of(target: &str, here: &str, asked: &Asked) -> Self {
        let wanted = asked.value("scheme");
        let wanted = wanted.as_deref().and_then(Scheme::from_word);
        let scheme = wanted.unwrap_or(Scheme::Light);
        let tab = |label, one: Scheme| SchemeTab {
            label,
            url: format!("{here}scheme={}", one.as_str()),
            is_here: one == scheme,
        };
        let join = if target.contains('?') { '&' } else { '?' };
        Self {
            url: format!("{target}{join}scheme={}", scheme.as_str()),
            schemes: vec![tab("Light", Scheme::Light), tab("Dark", Scheme::Dark)],
            scheme: scheme.as_str(),
        }
    }
}

/// Ways to look at a letter: colours, and what a client does to it.
const LOOKS: [(&str, &str); 4] = [
    ("Light", "light"),
    ("Dark", "dark"),
    ("Forced dark", FORCED),
    ("Pictures off", UNPICTURED),
];
/// A client that inverts colours by itself.
pub(super) const FORCED: &str = "forced";
/// A client that shows no pictures.
pub(super) const UNPICTURED: &str = "off";

impl Frame {
    /// Shows the letter at `target`; how is chosen at `here`.
    pub(super) fn of_letter(target: &str, here: &str, asked: &Asked) -> Self {
        let wanted = asked.value("scheme").unwrap_or_default();
        let known = LOOKS.iter().find(|(_, word)| *word == wanted);
        let (_, word) = known.unwrap_or(&LOOKS[0]);
        let looks = LOOKS.iter().map(|(label, one)| SchemeTab {
            label,
            url: format!("{here}scheme={one}"),
            is_here: one == word,
        });
        let join = if target.contains('?') { '&' } else { '?' };
        Self {
            url: format!("{target}{join}scheme={word}"),
            schemes: looks.collect(),
            scheme: if *word == "dark" { "dark" } else { "light" },
        }
    }
}

/// How the article is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Reader,
    Page,
    Source,
}

/// The page of the article that is written in this file.
pub(in super::super) fn show(proof: &Proof, source: &Path, asked: &Asked) -> Answer {
    let press = &proof.press;
    let article = press.article_in(source);
    let findings = proof.problems_of(source);
    if article.is_none() && findings.is_empty() {
        return ui::not_here(proof, "no article is written in this file");
    }
    let way = match asked.value("view").as_deref() {
        Some("source") => Way::Source,
        Some("page") => Way::Page,
        _ => Way::Reader,
    };
    let here = address("article", source);
    let title = article.map_or_else(|| source.display().to_string(), |a| a.title.clone());
    let mut view = View {
        source: source.display().to_string(),
        held_back: held_back(press, source),
        tabs: tabs(&here, way),
        facts: Vec::new(),
        streams: Vec::new(),
        reader: None,
        frame: None,
        lines: Vec::new(),
        note: None,
        findings: Finding::all(proof, findings.iter().copied()),
        title,
    };
    if let Some(article) = article {
        let body = body(press, article);
        view.facts = facts(press, article, &body);
        view.streams = streams(press, article);
        match way {
            Way::Reader => view.reader = Some(reader(press, article, &body)),
            Way::Page => match page_of(press, article) {
                Ok(target) => {
                    view.frame = Some(Frame::of(&target, &format!("{here}?view=page&"), asked))
                }
                Err(why) => view.note = Some(why),
            },
            Way::Source => {}
        }
    } else if way != Way::Source {
        view.note = Some("It cannot be shown before its errors are mended.".to_owned());
    }
    if way == Way::Source || article.is_none() {
        match code::read(proof, source) {
            Some(lines) => view.lines = lines,
            None => view.note = Some("The file cannot be read.".to_owned()),
        }
    }
    let title = view.title.clone();
    ui::page(
        proof,
        "article.html",
        (Some(Place::Articles), &title),
        &view,
    )
}

fn tabs(here: &str, way: Way) -> Vec<Tab> {
    let tab = |label, one: Way, query: &str| Tab {
        label,
        url: format!("{here}{query}"),
        is_here: one == way,
    };
    vec![
        tab("In a reader", Way::Reader, ""),
        tab("As its page", Way::Page, "?view=page"),
        tab("Source", Way::Source, "?view=source"),
    ]
}

fn held_back(press: &Press, source: &Path) -> Option<String> {
    let aside = press.set_aside(source)?;
    Some(reason(&aside.reason, &press.config.publication.language))
}

fn body(press: &Press, article: &Article) -> Arc<Body> {
    let renderer = Renderer::new(Arc::clone(&press.loaded.site));
    // One that is being edited is read again at once.
    let bodies = renderer.render_all([article]);
    let body = bodies.ok().and_then(|mut all| all.remove(&article.id));
    body.unwrap_or_default()
}

/// Where its page is, or why there is none.
fn page_of(press: &Press, article: &Article) -> Result<String, String> {
    if article.is_elsewhere {
        return Err(format!(
            "It is read at {}; there is no page here.",
            article.url
        ));
    }
    if !press.config.content.pages {
        return Err("`content.pages = false`: there are feeds and no pages.".to_owned());
    }
    Ok(match press.set_aside(&article.source) {
        Some(_) => address("held-back", &article.source),
        None => local_address(&article.url, &press.config.publication.base_url),
    })
}

fn reader(press: &Press, article: &Article, body: &Body) -> Reader {
    let publication = &press.config.publication;
    let language = article.language.as_deref().unwrap_or(&publication.language);
    let names: Vec<&str> = article.authors.iter().map(|a| a.name.as_str()).collect();
    Reader {
        title: article.title.clone(),
        byline: names.join(", "),
        published: day_text(article.published, language),
        language: language.to_owned(),
        dir: direction(language),
        hero: article.hero.as_ref().map(|hero| Shown::of(hero, press)),
        html: frames::local(body.html.as_str(), &publication.base_url),
        enclosure: article
            .enclosure
            .as_ref()
            .map(|enclosure| super::feed::Sound::of(enclosure, press)),
    }
}

fn facts(press: &Press, article: &Article, body: &Body) -> Vec<Fact> {
    let publication = &press.config.publication;
    let language = &publication.language;
    let here = local_address(&article.url, &publication.base_url);
    let mut facts = vec![
        Fact::of("File", article.source.display().to_string()),
        match page_of(press, article) {
            Ok(_) if press.set_aside(&article.source).is_none() => {
                Fact::link("Address", article.url.as_str(), here)
            }
            _ => Fact::of("Address", article.url.as_str()),
        },
        Fact::of("Permanent id", article.id.as_str()),
        Fact::of("Published", moment(article.published, language)),
    ];
    if article.updated != article.published {
        facts.push(Fact::of("Updated", moment(article.updated, language)));
    }
    if let Some(slug) = &article.section {
        let section = press.loaded.collection.sections().get(slug);
        let title = section.map_or_else(|| slug.to_string(), |section| section.title.clone());
        facts.push(Fact::of("Section", title));
    }
    let mut list = |name, labels: Vec<&str>| {
        if !labels.is_empty() {
            facts.push(Fact::of(name, labels.join(", ")));
        }
    };
    list(
        "Tags",
        article.tags.iter().map(|tag| tag.label.as_str()).collect(),
    );
    list(
        "Authors",
        article.authors.iter().map(|a| a.name.as_str()).collect(),
    );
    let words = body.text.split_whitespace().count();
    let minutes = words.div_ceil(WORDS_A_MINUTE).max(1);
    facts.push(Fact::of("Length", format!("{words} words, {minutes} min")));
    facts.push(Fact::of("HTML in feeds", size(body.html.as_str().len())));
    facts.push(Fact::of("Summary", article.summary.as_str()));
    if let Some(hero) = &article.hero {
        facts.push(Fact::of("Picture", Shown::facts(hero)));
    }
    facts
}

/// The feeds that show it.
fn streams(press: &Press, article: &Article) -> Vec<Fact> {
    let collection = &press.loaded.collection;
    if press.set_aside(&article.source).is_some() {
        return Vec::new();
    }
    let streams = feed::streams_of(article, collection);
    let named = |stream: &feed::Stream| {
        let (kind, title) = super::feeds::name(stream, press);
        Fact::link(kind, title, format!("{HOME}feed/{}", stream.path()))
    };
    streams.iter().map(named).collect()
}
