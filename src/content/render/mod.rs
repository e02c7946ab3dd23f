//! Markdown to a [`Body`]: on demand, on all cores, each article once.

mod model;
mod sanitise;
mod table;
mod text;
mod tokens;

use std::{
    collections::HashMap,
    fmt::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use pulldown_cmark::{CowStr, Event, Parser, Tag, TagEnd, html};
use rayon::prelude::*;

use self::sanitise::Stage;
pub use self::text::{LinkStyle, TextWords};
use crate::{
    content::{
        anchors::HeadingIds,
        file::{self, scan::options},
        ids,
        load::slashed,
        site::{Origin, Site},
        summary::teaser,
    },
    domain::{
        article::{Article, ArticleId, Body, SafeHtml},
        text::many_lines,
    },
};

/// Renders articles of one loaded publication and keeps what it rendered.
#[derive(Debug)]
pub struct Renderer {
    site: Arc<Site>,
    text: Option<LinkStyle>,
    words: HashMap<Option<String>, TextWords>,
    done: Mutex<HashMap<ArticleId, Arc<Body>>>,
}

/// An article is not what it was when it was loaded: nothing may be published
/// that is made of two versions of it.
#[derive(Debug, thiserror::Error)]
#[error("{} was changed while it was being published", .0.display())]
pub struct Changed(pub PathBuf);

impl Renderer {
    /// A renderer for the articles that were loaded with `site`
    /// ([`Loaded::site`](super::Loaded::site)).
    #[must_use]
    pub fn new(site: Arc<Site>) -> Self {
        Self {
            site,
            text: Some(LinkStyle::default()),
            words: HashMap::new(),
            done: Mutex::default(),
        }
    }

    /// Leaves [`Body::text`] empty, which only mail has a use for.
    #[must_use]
    pub fn without_text(self) -> Self {
        Self { text: None, ..self }
    }

    /// Names the addresses of links in [`Body::text`] in this way.
    #[must_use]
    pub fn with_links(self, style: LinkStyle) -> Self {
        Self {
            text: Some(style),
            ..self
        }
    }

    /// Says what stands for pictures and notes in [`Body::text`] in these words,
    /// by the language that an article names; in English where there are none.
    #[must_use]
    pub fn with_words(self, words: HashMap<Option<String>, TextWords>) -> Self {
        Self { words, ..self }
    }

    /// The bodies of `articles` by id. An article that was rendered before, in
    /// this call or an earlier one, is not rendered again.
    ///
    /// # Errors
    /// When a file is not what it was when it was loaded.
    pub fn render_all<'a>(
        &self,
        articles: impl IntoIterator<Item = &'a Article>,
    ) -> Result<HashMap<ArticleId, Arc<Body>>, Changed> {
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
            .map(|article| {
                let markdown = self.markdown(article)?;
                let text = self.text.map(|style| (style, self.words_of(article)));
                let body = render(article, &markdown, &self.site, text);
                Ok((article.id.clone(), Arc::new(body)))
            })
            .collect::<Result<_, Changed>>()?;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.extend(fresh.iter().cloned());
        drop(done);
        bodies.extend(fresh);
        Ok(bodies)
    }

    fn words_of(&self, article: &Article) -> TextWords {
        let words = self.words.get(&article.language);
        words.cloned().unwrap_or_default()
    }

    /// Forgets the body of an article that nobody will ask for again.
    pub fn forget(&self, article: &ArticleId) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.remove(article);
    }

    /// An article as its own page shows it: headings and footnotes carry ids,
    /// and links within the site are paths from its root. Nothing is kept:
    /// pages are written one after the other.
    ///
    /// # Errors
    /// When its file is not what it was when it was loaded.
    pub fn page(&self, article: &Article) -> Result<SafeHtml, Changed> {
        let markdown = self.markdown(article)?;
        Ok(page(article, &markdown, &self.site))
    }

    /// Markdown stays in its file until it is needed: of a large collection
    /// only a part ever is.
    fn markdown(&self, article: &Article) -> Result<String, Changed> {
        let source = slashed(&article.source);
        let path = self.site.folder.join(self.site.in_content(&source));
        file::markdown(&path, &article.source)
            .ok()
            .filter(|markdown| ids::text_hash(markdown) == article.text_hash)
            .ok_or_else(|| Changed(article.source.clone()))
    }
}

fn events<'a>(markdown: &'a str, site: &Site) -> Vec<Event<'a>> {
    Parser::new_ext(markdown, options(site.smart_punctuation)).collect()
}

fn page(article: &Article, markdown: &str, site: &Arc<Site>) -> SafeHtml {
    let markdown = many_lines(markdown);
    let source = slashed(&article.source);
    let origin = Origin {
        file: site.in_content(&source),
        url: &article.url,
    };
    let mut events = events(&markdown, site);
    name_headings(&mut events);
    let html = to_html(events.into_iter(), Stage::OwnPage);
    sanitise::clean(&html, site, origin, Stage::OwnPage)
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

fn render(
    article: &Article,
    markdown: &str,
    site: &Arc<Site>,
    text: Option<(LinkStyle, TextWords)>,
) -> Body {
    let markdown = many_lines(markdown);
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
        text: text.map_or_else(String::new, |(style, words)| {
            text::of(&html, &article.url, style, &words)
        }),
        summary_html: teaser.map(|events| clean(to_html(events.into_iter(), Stage::Anywhere))),
        html,
    }
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

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, str::FromStr};

    use chrono::DateTime;
    use url::Url;

    use super::*;
    use crate::{
        content::{site, summary},
        domain::{article::Slug, fingerprint::Fingerprint},
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
            summary: summary::of(None, markdown, false),
            text_hash: ids::text_hash(markdown),
            text: Fingerprint::default(),
        }
    }

    fn body(markdown: &str) -> Body {
        rendered(markdown, &site())
    }

    fn rendered(markdown: &str, site: &Arc<Site>) -> Body {
        render(
            &article(markdown),
            markdown,
            site,
            Some((LinkStyle::default(), TextWords::default())),
        )
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
        let markdown = "## What's new?\n\nSee [above](#what-s-new)[^z] and[^z].\n\n[^z]: First";
        let page = page(&article(markdown), markdown, &site());
        let html = page.as_str();
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
            assert_eq!(article(markdown).summary, summary, "{markdown}");
            assert_eq!(
                body.summary_html.as_ref().map(SafeHtml::as_str),
                teaser,
                "{markdown}"
            );
        }
        assert!(article(&long).summary.chars().count() <= 400);
        assert_eq!(summary::of(Some("All\nof it"), "Text", false), "All of it");
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
        let markdown = "\"It's\" -- so...";
        let typographic = Arc::new(typographic);
        assert!(body(markdown).text.contains("\"It's\" -- so..."));
        let text = rendered(markdown, &typographic).text;
        assert!(text.contains("“It’s” – so…"));
    }

    #[test]
    fn an_article_is_rendered_once_and_only_as_it_was_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("food/beans.md");
        fs::create_dir(dir.path().join("food")).unwrap();
        fs::write(&file, "+++\ntitle = \"Beans\"\n+++\nText").unwrap();
        let mut site = site::tests::site();
        site.folder = dir.path().to_owned();
        let site = Arc::new(site);
        let renderer = Renderer::new(Arc::clone(&site));
        let article = article("Text");
        let first = renderer.render_all([&article, &article]).unwrap();
        let second = renderer.render_all([&article]).unwrap();
        assert_eq!(first.len(), 1);
        assert!(Arc::ptr_eq(&first[&article.id], &second[&article.id]));
        let feeds = Renderer::new(site).without_text();
        let body = &feeds.render_all([&article]).unwrap()[&article.id];
        assert_eq!(
            (&body.html, body.text.as_str()),
            (&first[&article.id].html, "")
        );
        for other in ["+++\ntitle = \"Beans\"\n+++\nOther", "Text"] {
            fs::write(&file, other).unwrap();
            let changed = feeds.page(&article).unwrap_err();
            assert!(
                changed
                    .to_string()
                    .starts_with("content/food/beans.md was changed")
            );
        }
    }
}
