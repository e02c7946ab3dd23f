//! Everything a template can see; `docs/templates.md` lists it for people.
//!
//! Every name is always there; what an article lacks is none, so that a name
//! that is not there is a mistake in the template.

use std::collections::BTreeMap;

use tera::{Context, Value};
use url::Url;

use super::{
    opening::opening,
    pictures::{Pictures, describe_hero, describe_logo},
    render::IssueInput,
    slot::Marks,
};
use crate::{
    config::settings::MailSettings,
    domain::{
        article::{Article, Body, SafeHtml},
        digest::{Digest, Shown},
        language::direction,
        publication::{Author, Publication},
        text::{cut, many_lines, one_line},
    },
    templates::{Templates, Words, describe_theme},
};

/// The names at the top.
pub(super) const NAMES: [&str; 6] = ["publication", "theme", "digest", "issue", "reader", "list"];

/// What a template sees, but for the subject, which is rendered from this.
pub(super) struct IssueContext {
    publication: Value,
    theme: Value,
    digest: Value,
    issue: BTreeMap<&'static str, Value>,
    list: Value,
    /// Whether there is a page where readers choose.
    has_preferences: bool,
}

impl IssueContext {
    /// Describes an issue.
    pub(super) fn new(
        input: &IssueInput<'_>,
        shown: &[Shown],
        settings: &MailSettings,
        templates: &Templates,
    ) -> Self {
        let words = templates.words(input.language());
        let articles: Vec<Value> = input
            .articles
            .iter()
            .zip(shown)
            .enumerate()
            .map(|(at, ((article, body), shown))| {
                let mut described = describe_article(article, body, input, words);
                described.insert("shown", shown.as_str().into());
                described.insert("anchor", format!("a{}", at + 1).into());
                described.into()
            })
            .collect();
        Self {
            publication: describe_publication(input.publication, input.language(), input.pictures),
            theme: describe_theme(&input.publication.theme),
            digest: describe_digest(input.digest),
            issue: BTreeMap::from([
                ("number", input.number.into()),
                ("date", input.date.to_rfc3339().into()),
                ("date_text", words.weekday_and_day(input.date).into()),
                ("preheader", preheader(input).into()),
                ("web_url", input.web_url().into()),
                ("lead", articles.first().cloned().into()),
                (
                    "rest",
                    articles.get(1..).unwrap_or_default().to_vec().into(),
                ),
                ("articles", articles.into()),
            ]),
            list: describe_list(settings),
            has_preferences: settings.public_url.is_some(),
        }
    }

    /// What the `subject` setting sees.
    pub(super) fn for_subject(&self) -> Context {
        let mut context = Context::new();
        context.insert_value("publication", self.publication.clone());
        context.insert_value("digest", self.digest.clone());
        context.insert_value("issue", self.issue.clone().into());
        context
    }

    /// What the templates see: all of that, the subject, list and reader.
    pub(super) fn for_body(mut self, subject: &str, marks: &Marks) -> Context {
        self.issue.insert("subject", subject.into());
        let mut context = self.for_subject();
        context.insert_value("theme", self.theme);
        context.insert_value("list", self.list);
        let reader = map([
            ("name", marks.name().into()),
            ("address", marks.address().into()),
            ("unsubscribe_url", marks.unsubscribe_url().into()),
            (
                "preferences_url",
                self.has_preferences.then(|| marks.preferences_url()).into(),
            ),
        ]);
        context.insert_value("reader", reader);
        context
    }
}

pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    BTreeMap::from(entries).into()
}

pub(super) fn describe_digest(digest: &Digest) -> Value {
    map([
        ("name", digest.name.as_str().into()),
        ("title", one_line(&digest.title).into()),
    ])
}

pub(super) fn describe_list(settings: &MailSettings) -> Value {
    let postal = settings.list.postal_address.as_deref();
    map([("postal_address", postal.map(many_lines).into())])
}

pub(super) fn describe_publication(
    publication: &Publication,
    language: &str,
    pictures: &Pictures,
) -> Value {
    let logo = publication
        .theme
        .logo
        .as_ref()
        .or(publication.logo.as_ref());
    map([
        ("title", one_line(&publication.title).into()),
        ("description", one_line(&publication.description).into()),
        ("base_url", publication.base_url.as_str().into()),
        ("language", language.into()),
        ("dir", direction(language).into()),
        (
            "logo",
            logo.map(|logo| describe_logo(logo, pictures)).into(),
        ),
        ("rights", line(publication.rights.as_deref())),
    ])
}

fn describe_article(
    article: &Article,
    body: &Body,
    input: &IssueInput<'_>,
    words: Words<'_>,
) -> BTreeMap<&'static str, Value> {
    let publication = input.publication;
    let authors: Vec<Value> = article.authors.iter().map(describe_author).collect();
    let url = web(&article.url).unwrap_or(publication.base_url.as_str());
    let language = article.language.as_ref().unwrap_or(&publication.language);
    let (opening_html, opening) = opening(body).map(|o| (o.html, o.text)).unzip();
    BTreeMap::from([
        ("title", one_line(&article.title).into()),
        ("kicker", line(article.kicker.as_deref())),
        ("standfirst", line(article.standfirst.as_deref())),
        ("summary", one_line(&article.summary).into()),
        ("url", url.into()),
        ("section", describe_section(article, input)),
        ("authors", authors.into()),
        ("authors_line", authors_line(&article.authors, words).into()),
        ("tags", describe_tags(article)),
        ("hero", describe_hero(article.hero.as_ref(), input.pictures)),
        ("html", html(&input.pictures.in_text(&body.html))),
        ("text", body.text.as_str().into()),
        ("opening_html", opening_html.as_ref().map(html).into()),
        ("opening", opening.into()),
        ("language", language.as_str().into()),
        ("dir", direction(language).into()),
        ("published", article.published.to_rfc3339().into()),
        (
            "published_text",
            words.weekday_and_day(article.published).into(),
        ),
    ])
}

/// The one kind of text that prints without escaping.
fn html(html: &SafeHtml) -> Value {
    Value::safe_string(html.as_str())
}

pub(super) fn line(text: Option<&str>) -> Value {
    text.map(one_line).into()
}

fn describe_section(article: &Article, input: &IssueInput<'_>) -> Value {
    let section = article.section.as_ref().map(|slug| {
        let known = input.sections.get(slug);
        let title = known.map_or(slug.as_str(), |section| section.title.as_str());
        map([
            ("slug", slug.as_str().into()),
            ("title", one_line(title).into()),
        ])
    });
    section.into()
}

fn describe_tags(article: &Article) -> Value {
    let tags = article.tags.iter().map(|tag| {
        map([
            ("slug", tag.slug.as_str().into()),
            ("label", one_line(&tag.label).into()),
        ])
    });
    tags.collect::<Vec<_>>().into()
}

fn describe_author(author: &Author) -> Value {
    let url = author
        .url
        .as_deref()
        .filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    map([("name", one_line(&author.name).into()), ("url", url.into())])
}

/// The URL, if it is one a mail may carry: never `javascript:` or `data:`.
pub(super) fn web(url: &Url) -> Option<&str> {
    matches!(url.scheme(), "https" | "http").then_some(url.as_str())
}

/// The line that mail clients show after the subject.
fn preheader(input: &IssueInput<'_>) -> String {
    input
        .articles
        .first()
        .map_or_else(String::new, |(lead, _)| {
            let text = lead.standfirst.as_ref().unwrap_or(&lead.summary);
            cut(&one_line(text), 120)
        })
}

fn authors_line(authors: &[Author], words: Words<'_>) -> String {
    let names: Vec<String> = authors
        .iter()
        .map(|author| one_line(&author.name))
        .collect();
    words.list(&names)
}
