//! Rendering an issue that does not exist, so that `check` finds a template's
//! faults on Monday and not on Friday at seven.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use chrono::{DateTime, FixedOffset};
use url::Url;

use super::{
    budget::LeadRule,
    context,
    notice::{NOTICE_NAMES, Notice, NoticeInput, render_notice},
    pictures::Pictures,
    render::{CONFIG, IssueInput, RenderError, Rendered, render},
};
use crate::{
    config::settings::MailSettings,
    domain::{
        article::{Article, ArticleId, Body, Picture, PictureType, SafeHtml, Slug, Tag},
        digest::{Digest, Shown},
        fingerprint::Fingerprint,
        problem::{Problem, suggestion},
        publication::{Author, Publication},
    },
    links::Signer,
    templates::Templates,
};

/// What is wrong with the template and the subject of `digest`: they are
/// rendered with six articles that have everything, shown in full, by their
/// summaries and by their titles, and with a single one that has nothing but a
/// title.
#[must_use]
pub fn check_templates(
    publication: &Publication,
    digest: &Digest,
    templates: &Templates,
    settings: &MailSettings,
) -> Vec<Problem> {
    let mut problems = templates.unknown_names(&digest.template, &context::NAMES);
    let full = full_article();
    let sparse = sparse_article();
    let everything = [
        (&full, 6, Shown::Full),
        (&full, 6, Shown::Summary),
        (&full, 6, Shown::Title),
        (&sparse, 1, Shown::Summary),
    ];
    for ((article, body), count, shown) in everything {
        let input = IssueInput {
            publication,
            digest,
            sections: &BTreeMap::new(),
            number: 1,
            articles: vec![(article, Arc::clone(body)); count],
            shown: vec![shown; count],
            lead: LeadRule::Kept,
            has_page: true,
            pictures: &Pictures::default(),
            date: article.published,
        };
        // The key is of no matter: nothing of this leaves the program.
        if let Err(error) = render(&input, templates, settings, &Signer::new(&[0; 32]), None) {
            problems.push(problem(&error));
        }
    }
    tidied(problems)
}

/// What is wrong with the templates of notices, for readers of `digest`.
#[must_use]
pub fn check_notices(
    publication: &Publication,
    digest: &Digest,
    templates: &Templates,
    settings: &MailSettings,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let input = NoticeInput {
        language: None,
        publication,
        digest,
        pictures: &Pictures::default(),
        date: DateTime::default(),
    };
    for notice in Notice::ALL {
        problems.extend(templates.unknown_names(notice.name(), &NOTICE_NAMES));
        let signer = Signer::new(&[0; 32]);
        match render_notice(notice, &input, templates, settings, &signer, None) {
            // Nobody is asked to confirm where there is no page for it.
            Ok(_) | Err(RenderError::NoPage { .. }) => {}
            Err(error) => problems.push(problem(&error)),
        }
    }
    tidied(problems)
}

/// In order, and each fault once: the name check knows no line; where
/// rendering found the same, its finding says more.
fn tidied(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    let known: Vec<(String, bool)> = problems
        .iter()
        .map(|problem| (problem.what.clone(), problem.line.is_some()))
        .collect();
    problems
        .retain(|problem| problem.line.is_some() || !known.contains(&(problem.what.clone(), true)));
    problems.dedup();
    problems
}

/// The next issue of a digest as it would be with six made-up articles.
///
/// # Errors
/// When a template or the subject does not work out.
pub fn made_up_issue(
    publication: &Publication,
    digest: &Digest,
    templates: &Templates,
    settings: &MailSettings,
) -> Result<Rendered, RenderError> {
    let (article, body) = full_article();
    let input = IssueInput {
        publication,
        digest,
        sections: &BTreeMap::new(),
        number: 1,
        articles: vec![(&article, body); 6],
        shown: Vec::new(),
        lead: LeadRule::Kept,
        has_page: true,
        pictures: &Pictures::default(),
        date: article.published,
    };
    render(&input, templates, settings, &Signer::new(&[0; 32]), None)
}

/// A failure to render as a finding about the file it comes from.
fn problem(error: &RenderError) -> Problem {
    match error {
        RenderError::Template(error) => error.problem(),
        RenderError::Kind { kind, kinds, .. } => {
            let meant = suggestion(kind, kinds.iter().map(String::as_str));
            let remedy = match meant {
                Some(kind) => format!("did you mean `{kind}`?"),
                None => format!(
                    "add `templates/{kind}/issue.html` and `issue.txt`, or use one of {}",
                    kinds.join(", ")
                ),
            };
            Problem::error(
                CONFIG,
                None,
                format!("there is no template `{kind}`"),
                remedy,
            )
        }
        RenderError::Subject(_) => Problem::error(
            CONFIG,
            None,
            error.to_string(),
            "see docs/templates.md for what a subject can print",
        ),
        RenderError::Budget { .. } => Problem::error(
            CONFIG,
            None,
            "`mail.size_budget` is smaller than any letter of this digest",
            "raise it: 90 KB leave room below the 102 KB at which Gmail cuts a letter off",
        ),
        RenderError::Empty
        | RenderError::Style { .. }
        | RenderError::StyleBlock { .. }
        | RenderError::Mark { .. }
        | RenderError::NoPage { .. }
        | RenderError::Keys(_)
        | RenderError::Crypto(_)
        | RenderError::Wire { .. } => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            let remedy = if cause.is_empty() {
                "make the style sheet shorter".to_owned()
            } else {
                cause
            };
            Problem::error("templates", None, error.to_string(), remedy)
        }
    }
}

/// An article that has everything a template can ask for.
pub(super) fn full_article() -> (Article, Arc<Body>) {
    let (sparse, _) = sparse_article();
    let article = Article {
        section: Slug::of("kitchen"),
        kicker: Some("In season".to_owned()),
        standfirst: Some("A sentence under the headline.".to_owned()),
        authors: vec![
            Author {
                name: "Naledi Khumalo".to_owned(),
                email: Some("naledi@example.org".to_owned()),
                url: Some("https://example.org/naledi".to_owned()),
            },
            Author::named("Pieter Brandt"),
        ],
        tags: Slug::of("soup")
            .into_iter()
            .map(|slug| Tag {
                slug,
                label: "Soup".to_owned(),
            })
            .collect(),
        hero: Some(Picture {
            url: address("https://magazine.example.org/kitchen/soups/pot.jpg"),
            file: None,
            alt: "A pot on a stove".to_owned(),
            caption: Some("It simmers by itself.".to_owned()),
            credit: Some("Photograph: Naledi Khumalo".to_owned()),
            width: 1600,
            height: 900,
            bytes: 1,
            kind: PictureType::Jpeg,
        }),
        language: Some("en-ZA".to_owned()),
        summary: "A sentence under the headline.".to_owned(),
        ..sparse
    };
    let body = Body {
        html: SafeHtml::from_sanitiser(
            "<p>The first paragraph, with <em>emphasis</em>.</p>\n<h2>A question?</h2>".to_owned(),
        ),
        summary_html: None,
        text: "The first paragraph, with emphasis.\n\nA QUESTION?\n".to_owned(),
    };
    (article, Arc::new(body))
}

/// An article with nothing but what every article has.
pub(super) fn sparse_article() -> (Article, Arc<Body>) {
    let published = DateTime::<FixedOffset>::default();
    let article = Article {
        id: ArticleId::new("tag:magazine.example.org,2026:soups").expect("no space in it"),
        source: "content/kitchen/soups.md".into(),
        slug: Slug::of("soups").expect("letters only"),
        url: address("https://magazine.example.org/kitchen/soups/"),
        is_elsewhere: false,
        section: None,
        kicker: None,
        title: "Five soups for a cold week".to_owned(),
        standfirst: None,
        authors: vec![Author::named("Naledi Khumalo")],
        tags: Vec::new(),
        hero: None,
        enclosure: None,
        published,
        updated: published,
        aliases: Vec::new(),
        language: None,
        summary: String::new(),
        text_hash: [0; 32],
        text: Fingerprint::default(),
    };
    (article, Arc::default())
}

fn address(url: &str) -> Url {
    Url::parse(url).expect("an absolute URL as written above")
}
