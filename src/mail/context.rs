//! Everything a template can see; `docs/templates.md` lists it for people.
//!
//! Every name is always there; what an article lacks is none, so that a name
//! that is not there is a mistake in the template.

use std::collections::BTreeMap;

use tera::{Context, Value};
use url::Url;

use super::{
    opening::opening,
    pictures::{describe_hero, describe_logo},
    render::IssueInput,
    slot::Marks,
};
use crate::{
    config::settings::MailSettings,
    domain::{
        article::{Article, Body, SafeHtml},
        language::{date_text, direction},
        publication::Author,
        text::{cut, many_lines, one_line},
    },
};

/// The names at the top.
pub(super) const NAMES: [&str; 5] = ["publication", "digest", "issue", "reader", "list"];

/// What a template sees, but for the subject, which is rendered from this.
pub(super) struct IssueContext {
    publication: Value,
    digest: Value,
    issue: BTreeMap<&'static str, Value>,
    list: Value,
}

impl IssueContext {
    /// Describes an issue.
    pub(super) fn new(input: &IssueInput<'_>, settings: &MailSettings) -> Self {
        let articles: Vec<Value> = input
            .articles
            .iter()
            .map(|(article, body)| describe_article(article, body, input))
            .collect();
        let postal = settings.list.postal_address.as_deref();
        Self {
            publication: describe_publication(input),
            digest: map([
                ("name", input.digest.name.as_str().into()),
                ("title", one_line(&input.digest.title).into()),
            ]),
            issue: BTreeMap::from([
                ("number", input.number.into()),
                ("date", input.date.to_rfc3339().into()),
                (
                    "date_text",
                    date_text(input.date, &input.publication.language).into(),
                ),
                ("preheader", preheader(input).into()),
                ("lead", articles.first().cloned().into()),
                (
                    "rest",
                    articles.get(1..).unwrap_or_default().to_vec().into(),
                ),
                ("articles", articles.into()),
            ]),
            list: map([("postal_address", postal.map(many_lines).into())]),
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
        context.insert_value("list", self.list);
        let reader = map([
            ("name", marks.name().into()),
            ("address", marks.address().into()),
            ("unsubscribe_url", marks.unsubscribe_url().into()),
        ]);
        context.insert_value("reader", reader);
        context
    }
}

pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    BTreeMap::from(entries).into()
}

fn describe_publication(input: &IssueInput<'_>) -> Value {
    let publication = input.publication;
    map([
        ("title", one_line(&publication.title).into()),
        ("description", one_line(&publication.description).into()),
        ("base_url", publication.base_url.as_str().into()),
        ("language", publication.language.as_str().into()),
        ("dir", direction(&publication.language).into()),
        (
            "logo",
            publication
                .logo
                .as_ref()
                .map(|logo| describe_logo(logo, input.pictures))
                .into(),
        ),
        ("rights", line(publication.rights.as_deref())),
    ])
}

fn describe_article(article: &Article, body: &Body, input: &IssueInput<'_>) -> Value {
    let publication = input.publication;
    let authors: Vec<Value> = article.authors.iter().map(describe_author).collect();
    let url = web(&article.url).unwrap_or(publication.base_url.as_str());
    let language = article.language.as_ref().unwrap_or(&publication.language);
    let (opening_html, opening) = opening(body).map(|o| (o.html, o.text)).unzip();
    map([
        ("title", one_line(&article.title).into()),
        ("kicker", line(article.kicker.as_deref())),
        ("standfirst", line(article.standfirst.as_deref())),
        ("summary", one_line(&article.summary).into()),
        ("url", url.into()),
        ("section", describe_section(article, input)),
        ("authors", authors.into()),
        ("authors_line", authors_line(&article.authors).into()),
        ("tags", describe_tags(article)),
        ("hero", describe_hero(article.hero.as_ref(), input.pictures)),
        ("html", html(&input.pictures.in_text(&body.html))),
        ("text", body.text.as_str().into()),
        ("opening_html", opening_html.as_ref().map(html).into()),
        ("opening", opening.into()),
        ("language", language.as_str().into()),
        ("published", article.published.to_rfc3339().into()),
        (
            "published_text",
            date_text(article.published, &publication.language).into(),
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

/// `A`, `A and B`, `A, B and C`.
fn authors_line(authors: &[Author]) -> String {
    let names: Vec<String> = authors
        .iter()
        .map(|author| one_line(&author.name))
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_authors_are_named_in_one_line() {
        let all = |names: &[&str]| {
            let authors: Vec<Author> = names.iter().copied().map(Author::named).collect();
            authors_line(&authors)
        };
        assert_eq!(all(&["A"]), "A");
        assert_eq!(all(&["A", "B"]), "A and B");
        assert_eq!(all(&["A", "B", "C"]), "A, B and C");
    }
}
