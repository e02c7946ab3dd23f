//! Promises of choices and of what they come to.

use super::*;
use crate::domain::{
    digest::{Digest, FirstIssue},
    schedule::Schedule,
};

fn choice(text: &str) -> Choice {
    text.parse().unwrap()
}

fn digest() -> Digest {
    let zone = chrono_tz::Africa::Johannesburg;
    Digest {
        name: "weekly".parse().unwrap(),
        title: "The Weekly".to_owned(),
        schedule: Schedule::parse("0 7 * * FRI", zone).unwrap(),
        template: "digest".to_owned(),
        sections: Vec::new(),
        tags: Vec::new(),
        max_articles: 12,
        min_articles: 1,
        first_issue: FirstIssue::Latest,
        max_late: chrono::Duration::hours(24),
        on_uncertain: None,
        language: None,
        content: None,
        subject: None,
    }
}

#[test]
fn a_choice_reads_the_same_however_it_was_written() {
    let canonical = "sections=food,home; tags=soup; language=af; content=summary";
    for text in [
        canonical,
        "content=summary;language=AF; tags = soup ; sections=home food food",
    ] {
        assert_eq!(choice(text).to_string(), canonical);
    }
    assert_eq!(choice(canonical), choice(&choice(canonical).to_string()));
    for text in ["", " ; ", "everything"] {
        assert_eq!(choice(text), Choice::default());
    }
    assert_eq!(Choice::default().to_string(), "");
    assert_eq!(Choice::default().in_words(), "everything");
}

#[test]
fn a_text_that_is_no_choice_is_refused_with_what_would_be_one() {
    for (text, why) in [
        ("food", "`food` is not written as `key=value`"),
        (
            "section=food",
            "it has no `section`; did you mean `sections`?",
        ),
        (
            "colour=red",
            "it has no `colour`, only digests, sections, tags, language, content",
        ),
        ("sections=Fo od!", "`Fo` may only have lower-case letters"),
        (
            "language=e\r\nBcc: x",
            "is no language tag such as `af` or `en-ZA`",
        ),
        ("content=title", "`title` is not `full` or `summary`"),
    ] {
        let error = text.parse::<Choice>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

/// What choices come to, in an issue of four articles: in the kitchen with a
/// tag, in the garden, in the garden in Afrikaans, and of no section.
fn variants(choices: &[&str]) -> (Vec<Variant>, Vec<Result<usize, LeftOut>>) {
    let article = |section: Option<&str>, tag: Option<&str>, language: Option<&str>| {
        let mut article = Article::sample("soups", 1, "Anna");
        article.section = section.map(|slug| slug.parse().unwrap());
        article.tags = tag
            .map(|slug| crate::domain::article::Tag {
                slug: slug.parse().unwrap(),
                label: slug.to_owned(),
            })
            .into_iter()
            .collect();
        article.language = language.map(str::to_owned);
        article
    };
    let articles = [
        article(Some("kitchen"), Some("soup"), None),
        article(Some("garden"), None, None),
        article(Some("garden"), None, Some("af-ZA")),
        article(None, None, None),
    ];
    let articles: Vec<&Article> = articles.iter().collect();
    let choices: Vec<Choice> = choices.iter().map(|text| choice(text)).collect();
    let set = |all: &[&str]| all.iter().map(ToString::to_string).collect();
    let languages = Languages {
        of_articles: set(&["en", "af"]),
        of_words: set(&["en", "af", "de"]),
    };
    let found = Variants::of(
        &choices,
        &digest(),
        &articles,
        ("en-ZA", "en-ZA"),
        &languages,
    );
    (found.variants, found.of_choice)
}

#[test]
fn sections_and_tags_choose_articles_and_an_empty_choice_gets_none() {
    let (variants, of_choice) = variants(&[
        "",
        "sections=garden",
        "tags=soup",
        "sections=garden; tags=soup",
        "sections=travel",
        "digests=daily",
        "digests=daily,weekly",
    ]);
    let articles: Vec<&[usize]> = variants.iter().map(|v| v.articles.as_slice()).collect();
    assert_eq!(articles, [&[0, 1, 2, 3][..], &[1, 2], &[0], &[0, 1, 2]]);
    assert_eq!(
        of_choice,
        [
            Ok(0),
            Ok(1),
            Ok(2),
            Ok(3),
            Err(LeftOut::NothingChosen),
            Err(LeftOut::OtherDigests),
            Ok(0),
        ]
    );
}

#[test]
fn a_language_chooses_articles_where_there_are_some_and_words_where_we_have_them() {
    let (variants, of_choice) =
        variants(&["language=af", "language=de", "language=xh", "language=en"]);
    assert_eq!(of_choice, [Ok(1), Ok(2), Ok(0), Ok(3)]);
    assert_eq!(variants[1].articles, [2]);
    assert_eq!(variants[1].language.as_deref(), Some("af"));
    assert_eq!(variants[2].articles, [0, 1, 2, 3]);
    assert_eq!(variants[2].language.as_deref(), Some("de"));
    assert_eq!(variants[3].articles, [0, 1, 3]);
    assert_eq!(variants[3].language, None);
}

#[test]
fn choices_that_come_to_the_same_share_an_edition() {
    let (variants, of_choice) = variants(&[
        "sections=kitchen",
        "tags=soup",
        "sections=kitchen; tags=soup",
        "sections=kitchen; content=full",
    ]);
    assert_eq!(variants.len(), 3);
    assert_eq!(of_choice, [Ok(1), Ok(1), Ok(1), Ok(2)]);
    assert_eq!(variants[2].content, Some(Shown::Full));
}
