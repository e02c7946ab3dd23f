//! Markdown to a [`Body`]: on demand, on all cores, each article once.

mod model;
mod sanitise;
mod table;
mod text;
mod tokens;

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use pulldown_cmark::{CowStr, Event, Parser, Tag, TagEnd, html};
use rayon::prelude::*;

use self::sanitise::Stage;
use crate::{
    content::{
        anchors::HeadingIds,
        file::scan::options,
        load::slashed,
        site::{Origin, Site},
    },
    domain::{
        article::{Article, ArticleId, Body, PageText},
        text::{cut, many_lines, one_line},
    },
};

/// Most characters of a summary.
const SUMMARY_CHARS: usize = 400;

/// Renders articles of one loaded publication and keeps what it rendered.
#[derive(Debug)]
pub struct Renderer {
    site: Arc<Site>,
    done: Mutex<HashMap<ArticleId, Arc<Body>>>,
}

impl Renderer {
    /// A renderer for the articles that were loaded with `site`
    /// ([`Loaded::site`](super::Loaded::site)).
    #[must_use]
    pub fn new(site: Arc<Site>) -> Self {
        Self {
            site,
            done: Mutex::default(),
        }
    }

    /// The bodies of `articles` by id. An article that was rendered before, in
    /// this call or an earlier one, is not rendered again.
    pub fn render_all<'a>(
        &self,
        articles: impl IntoIterator<Item = &'a Article>,
    ) -> HashMap<ArticleId, Arc<Body>> {
        let wanted: HashMap<&ArticleId, &Article> = articles
            .into_iter()
            .map(|article| (&article.id, article))
            .collect();
        let mut bodies: HashMap<ArticleId, Arc<Body>> = {
            // A body is complete when it is inserted, so a poisoned lock hides nothing.
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            let known =
                |id: &&ArticleId| done.get(*id).map(|body| ((*id).clone(), Arc::clone(body)));
            wanted.keys().filter_map(known).collect()
        };
        let missing: Vec<&Article> = wanted
            .into_values()
            .filter(|article| !bodies.contains_key(&article.id))
            .collect();
        let fresh: Vec<(ArticleId, Arc<Body>)> = missing
            .into_par_iter()
            .map(|article| (article.id.clone(), Arc::new(render(article, &self.site))))
            .collect();
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.extend(fresh.iter().cloned());
        drop(done);
        bodies.extend(fresh);
        bodies
    }

    /// An article as its own page shows it. Nothing is kept: pages are
    /// written one after the other.
    #[must_use]
    pub fn page(&self, article: &Article) -> PageText {
        page(article, &self.site)
    }

    /// The summary alone, at a small part of the cost.
    #[must_use]
    pub fn summary(&self, article: &Article) -> String {
        let markdown = many_lines(&article.markdown);
        let events = events(&markdown, &self.site);
        summary(article, &events, teaser(&events).as_deref())
    }
}

fn events<'a>(markdown: &'a str, site: &Site) -> Vec<Event<'a>> {
    Parser::new_ext(markdown, options(site.smart_punctuation)).collect()
}

fn page(article: &Article, site: &Arc<Site>) -> PageText {
    let markdown = many_lines(&article.markdown);
    let source = slashed(&article.source);
    let origin = Origin {
        file: site.in_content(&source),
        url: &article.url,
    };
    let mut events = events(&markdown, site);
    let summary = summary(article, &events, teaser(&events).as_deref());
    name_headings(&mut events);
    let html = to_html(events.into_iter(), Stage::OwnPage);
    PageText {
        html: sanitise::clean(&html, site, origin, Stage::OwnPage),
        summary,
    }
}

/// Gives every heading the id that links to it name.
fn name_headings(events: &mut [Event<'_>]) {
    let mut ids = HeadingIds::default();
    for at in 0..events.len() {
        let Event::Start(Tag::Heading { id: own, .. }) = &events[at] else {
            continue;
        };
        let words = events[at..].iter().map_while(|event| match event {
            Event::End(TagEnd::Heading(_)) => None,
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => Some(""),
        });
        let given = ids.next(own.as_deref(), &words.collect::<String>());
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = given.map(CowStr::from);
        }
    }
}

fn summary(article: &Article, events: &[Event<'_>], teaser: Option<&[Event<'_>]>) -> String {
    let summary = match (&article.standfirst, teaser) {
        (Some(standfirst), _) => one_line(standfirst),
        (None, Some(teaser)) => plain(teaser),
        (None, None) => first_paragraph(events),
    };
    cut(&summary, SUMMARY_CHARS)
}

fn render(article: &Article, site: &Arc<Site>) -> Body {
    let markdown = many_lines(&article.markdown);
    let source = slashed(&article.source);
    let origin = Origin {
        file: site.in_content(&source),
        url: &article.url,
    };
    let events = events(&markdown, site);
    let teaser = teaser(&events);
    let clean = |html: String| sanitise::clean(&html, site, origin, Stage::Anywhere);
    let html = clean(to_html(events.iter().cloned(), Stage::Anywhere));
    Body {
        text: text::of(&html, &article.url),
        summary: summary(article, &events, teaser.as_deref()),
        summary_html: teaser.map(|events| clean(to_html(events.into_iter(), Stage::Anywhere))),
        html,
    }
}

/// Events before `<!-- more -->`, with what is open there closed. Footnotes
/// stay with the article.
fn teaser<'a>(events: &[Event<'a>]) -> Option<Vec<Event<'a>>> {
    let mut open: Vec<TagEnd> = Vec::new();
    let mut before = Vec::new();
    for event in events {
        match event {
            Event::Html(html) | Event::InlineHtml(html) if is_more(html) => {
                before.extend(open.into_iter().rev().map(Event::End));
                return Some(before);
            }
            Event::Start(tag) => open.push(tag.to_end()),
            Event::End(_) => {
                open.pop();
            }
            _ => {}
        }
        before.push(event.clone());
    }
    None
}

fn is_more(html: &str) -> bool {
    let inner = html
        .trim()
        .strip_prefix("<!--")
        .and_then(|rest| rest.strip_suffix("-->"));
    inner.is_some_and(|inner| inner.trim() == "more")
}

/// HTML as the library writes it, but with footnotes as a numbered list at the
/// end, where readers of a feed or a mail look for them.
fn to_html<'a>(events: impl Iterator<Item = Event<'a>>, stage: Stage) -> String {
    let mut notes = Notes::default();
    let mut body = Vec::new();
    // Definitions that are open, innermost last: notes may hold notes.
    let mut open: Vec<usize> = Vec::new();
    for event in events {
        match event {
            Event::Start(Tag::FootnoteDefinition(name)) => {
                let at = notes.number(&name) - 1;
                open.push(at);
            }
            Event::End(TagEnd::FootnoteDefinition) => {
                open.pop();
            }
            event => {
                let event = match event {
                    Event::FootnoteReference(name) => {
                        let number = notes.number(&name);
                        Event::InlineHtml(CowStr::from(reference(number, stage)))
                    }
                    event => event,
                };
                match open.last() {
                    Some(&at) => notes.texts[at].push(event),
                    None => body.push(event),
                }
            }
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, body.into_iter());
    notes.write(&mut out, stage);
    out
}

/// The number in the text that leads to a note. The sanitiser keeps the first
/// of each id, to which the note leads back.
fn reference(number: usize, stage: Stage) -> String {
    let id = match stage {
        Stage::Anywhere => String::new(),
        Stage::OwnPage => format!(" id=\"fnref-{number}\""),
    };
    format!("<sup{id}><a href=\"#fn-{number}\">{number}</a></sup>")
}

/// Footnotes in the order in which they are first named.
#[derive(Default)]
struct Notes<'a> {
    numbers: HashMap<String, usize>,
    texts: Vec<Vec<Event<'a>>>,
}

impl Notes<'_> {
    /// The number of a note, from 1.
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.texts.push(Vec::new());
        self.numbers.insert(name.to_owned(), self.texts.len());
        self.texts.len()
    }

    fn write(self, out: &mut String, stage: Stage) {
        if self.texts.iter().all(Vec::is_empty) {
            return;
        }
        out.push_str("<hr>\n<ol>\n");
        for (note, number) in self.texts.into_iter().zip(1..) {
            match stage {
                Stage::Anywhere => out.push_str("<li>"),
                Stage::OwnPage => {
                    let _ = write!(out, "<li id=\"fn-{number}\">");
                }
            }
            html::push_html(out, note.into_iter());
            if stage == Stage::OwnPage {
                step_back(out, number);
            }
            out.push_str("</li>\n");
        }
        out.push_str("</ol>\n");
    }
}

/// Ends a note, inside its last paragraph, with the way back to its reference.
fn step_back(out: &mut String, number: usize) {
    let end = out.trim_end().len();
    let at = if out[..end].ends_with("</p>") {
        end - "</p>".len()
    } else {
        end
    };
    out.insert_str(at, &format!(" <a href=\"#fnref-{number}\">↩</a>"));
}

/// The text of events in one line: no pictures, code blocks, notes or raw HTML.
fn plain<'e, 'a: 'e>(events: impl IntoIterator<Item = &'e Event<'a>>) -> String {
    let mut text = String::new();
    let mut hidden = 0usize;
    for event in events {
        match event {
            Event::Start(tag) if is_hidden(&tag.to_end()) => hidden += 1,
            Event::End(end) if is_hidden(end) => hidden = hidden.saturating_sub(1),
            _ if hidden > 0 => {}
            Event::Text(part) | Event::Code(part) => text.push_str(part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell,
            ) => {
                text.push(' ');
            }
            _ => {}
        }
    }
    one_line(&text)
}

fn is_hidden(end: &TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Image | TagEnd::CodeBlock | TagEnd::FootnoteDefinition | TagEnd::HtmlBlock
    )
}

/// The first paragraph that says something.
fn first_paragraph(events: &[Event<'_>]) -> String {
    events
        .split(|event| matches!(event, Event::Start(Tag::Paragraph)))
        .skip(1)
        .map(|part| {
            let end = part
                .iter()
                .position(|event| matches!(event, Event::End(TagEnd::Paragraph)));
            plain(&part[..end.unwrap_or(part.len())])
        })
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, str::FromStr};

    use chrono::DateTime;
    use url::Url;

    use super::*;
    use crate::{
        content::site,
        domain::article::{SafeHtml, Slug},
    };

    fn site() -> Arc<Site> {
        Arc::new(site::tests::site())
    }

    fn article(markdown: &str) -> Article {
        let at = DateTime::parse_from_rfc3339("2026-08-01T07:00:00+02:00").unwrap();
        Article {
            id: ArticleId::new("tag:example.org,2026:beans").unwrap(),
            source: PathBuf::from("content/food/beans.md"),
            slug: Slug::from_str("beans").unwrap(),
            url: Url::parse("https://example.org/mag/food/beans/").unwrap(),
            is_elsewhere: false,
            section: None,
            kicker: None,
            title: "Beans".to_owned(),
            standfirst: None,
            authors: Vec::new(),
            tags: Vec::new(),
            hero: None,
            enclosure: None,
            published: at,
            updated: at,
            aliases: Vec::new(),
            language: None,
            markdown: markdown.to_owned(),
            markdown_line: 1,
        }
    }

    fn body(markdown: &str) -> Body {
        render(&article(markdown), &site())
    }

    #[test]
    fn structure_becomes_html_with_absolute_urls() {
        let html = body(
            "## Why *beans*?\n\n- **Cheap:** yes\n- [soup](soup/index.md#x)\n\n\
             ![A pot](beans.jpg \"t\")\n\n| a | b |\n|:-:|---|\n| 1 | ~~2~~ |\n",
        );
        let html = html.html.as_str();
        for part in [
            "<h2>Why <em>beans</em>?</h2>",
            "<li><strong>Cheap:</strong> yes</li>",
            "<a href=\"https://example.org/mag/food/soup/#x\">soup</a>",
            "<img src=\"https://example.org/mag/food/beans.jpg\" alt=\"A pot\" title=\"t\">",
            "<th>a</th>",
            "<del>2</del>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn footnotes_are_numbered_and_stand_at_the_end() {
        let html = body(
            "A[^z] b[^y] c[^z].\n\n[^y]: Second, see[^x].\n\n[^z]: First\n\n[^x]: Third\n\nEnd.",
        );
        let html = html.html.as_str();
        assert_eq!(
            html.matches("href=\"https://example.org/mag/food/beans/#fn-1\">1</a>")
                .count(),
            2
        );
        let (text, notes) = html.split_once("<hr>").unwrap();
        assert!(text.contains("End."), "{html}");
        let order = ["First", "Second", "Third"].map(|note| notes.find(note).unwrap());
        assert!(order.is_sorted(), "{html}");
    }

    #[test]
    fn on_its_own_page_an_article_has_working_anchors() {
        let page = page(
            &article("## What's new?\n\nSee [above](#what-s-new)[^z] and[^z].\n\n[^z]: First"),
            &site(),
        );
        let html = page.html.as_str();
        for part in [
            "<h2 id=\"whats-new\">",
            "<a href=\"#whats-new\">above</a>",
            "<sup id=\"fnref-1\"><a href=\"#fn-1\">1</a></sup>",
            "<sup><a href=\"#fn-1\">1</a></sup>",
            "<li id=\"fn-1\"><p>First <a href=\"#fnref-1\">↩</a></p>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    #[test]
    fn the_summary_is_standfirst_then_teaser_then_first_paragraph() {
        let long = "word ".repeat(200);
        for (markdown, summary, teaser) in [
            (
                "![x](a.png)\n\n# Head\n\nFirst *one*\nline.\n\nMore.",
                "First one line.",
                None,
            ),
            (
                "One.\n\nTwo.\n\n<!-- more -->\n\nThree.",
                "One. Two.",
                Some("<p>One.</p>\n<p>Two.</p>\n"),
            ),
            ("One <!--more--> two", "One", Some("<p>One </p>\n")),
            ("`<!-- more -->`", "<!-- more -->", None),
            ("", "", None),
        ] {
            let body = body(markdown);
            assert_eq!(body.summary, summary, "{markdown}");
            assert_eq!(
                body.summary_html.as_ref().map(SafeHtml::as_str),
                teaser,
                "{markdown}"
            );
        }
        assert!(body(&long).summary.chars().count() <= SUMMARY_CHARS);
        let mut with_standfirst = article("Text");
        with_standfirst.standfirst = Some("All of it".to_owned());
        assert_eq!(render(&with_standfirst, &site()).summary, "All of it");
    }

    #[test]
    fn hostile_text_stays_text_and_control_characters_go() {
        let body = body(
            "{{ secrets }} {% x %} ]]> AT&T \u{0} \u{1b}[31m <b>bold\n\n<script>alert(1)</script>\n\n**x",
        );
        let html = body.html.as_str();
        assert!(
            html.contains("{{ secrets }} {% x %} ]]&gt; AT&amp;T"),
            "{html}"
        );
        assert!(
            !html.contains("script") && !html.contains('\u{1b}'),
            "{html}"
        );
        assert!(
            body.text.contains("{{ secrets }} {% x %} ]]> AT&T"),
            "{}",
            body.text
        );
        assert!(!body.text.contains('\u{1b}'));
    }

    #[test]
    fn punctuation_is_typographic_only_when_asked_for() {
        let mut typographic = site::tests::site();
        typographic.smart_punctuation = true;
        let article = article("\"It's\" -- so...");
        let typographic = Arc::new(typographic);
        assert!(render(&article, &site()).text.contains("\"It's\" -- so..."));
        assert!(render(&article, &typographic).text.contains("“It’s” – so…"));
    }

    #[test]
    fn an_article_is_rendered_once() {
        let renderer = Renderer::new(site());
        let article = article("Text");
        let first = renderer.render_all([&article, &article]);
        let second = renderer.render_all([&article]);
        assert_eq!(first.len(), 1);
        assert!(Arc::ptr_eq(&first[&article.id], &second[&article.id]));
    }
}
