//! Promises of letters that would be too large.

use super::*;

/// A digest of `number` articles of about `bytes` bytes each, in full.
fn long_issue(number: usize, bytes: usize) -> World {
    let mut world = world();
    let (article, body) = full_article();
    let sentence = "The rain came back, and with it the soup. ";
    let paragraph = format!("<p>{}</p>", sentence.repeat(bytes / sentence.len()));
    let body = Arc::new(Body {
        html: SafeHtml::from_sanitiser(paragraph),
        ..Body::clone(&body)
    });
    world.articles = (1..=number)
        .map(|at| {
            let title = format!("Soup {at}");
            (
                Article {
                    title,
                    ..article.clone()
                },
                Arc::clone(&body),
            )
        })
        .collect();
    world.digest.content = Some(Shown::Full);
    world
}

#[test]
fn a_letter_over_its_budget_shows_its_last_articles_shorter() {
    let rendered = long_issue(6, 30_000).render().unwrap();
    let shortened: Vec<(&str, Shown, Shown)> = rendered
        .shortened
        .iter()
        .map(|article| (article.title.as_str(), article.wished, article.shown))
        .collect();
    let summary = |title| (title, Shown::Full, Shown::Summary);
    assert_eq!(
        shortened,
        ["Soup 3", "Soup 4", "Soup 5", "Soup 6"].map(summary)
    );
    assert_eq!(
        rendered.html.matches("The rain came back").count(),
        2 * (30_000 / 42)
    );
    assert!(rendered.edition.html_bytes() <= 90_000);
}

#[test]
fn there_is_room_for_the_longest_name() {
    let template = "<p>{{ reader.name }}</p>{% for article in issue.articles %}\
        {% if article.shown == \"full\" %}{{ article.html }}{% endif %}{% endfor %}";
    let mut world = long_issue(2, 30_000).with_template(template);
    let for_thandi = world.render().unwrap().edition.html_bytes();
    world.settings.size_budget = for_thandi;
    assert_eq!(world.render().unwrap().shortened.len(), 1);
    world.settings.size_budget = for_thandi + 100 * "Ü".len();
    assert_eq!(world.render().unwrap().shortened, []);
}

#[test]
fn a_letter_within_its_budget_is_shown_as_the_digest_says() {
    let rendered = long_issue(2, 30_000).render().unwrap();
    assert_eq!(rendered.shortened, []);
}

#[test]
fn an_article_too_long_for_any_letter_is_an_error_with_a_remedy() {
    let error = long_issue(3, 100_000).render().unwrap_err().to_string();
    let (bytes, rest) = error
        .strip_prefix("digest `weekly`: the letter has ")
        .and_then(|rest| rest.split_once(' '))
        .unwrap();
    assert!((100_000..115_000).contains(&bytes.parse::<usize>().unwrap()));
    assert_eq!(
        rest,
        "bytes of HTML with “Soup 1” and the headlines of the others, and `mail.size_budget` \
         allows 90000; shorten “Soup 1”, show less of it with `content = \"summary\"` in its \
         [[digest]], or raise the budget: Gmail cuts a letter off at 102 KB"
    );
}

#[test]
fn one_article_too_long_for_any_letter_has_no_others() {
    let error = long_issue(1, 100_000).render().unwrap_err().to_string();
    assert!(
        error.contains("bytes of HTML with “Soup 1”, and `mail.size_budget`"),
        "{error}"
    );
}

#[test]
fn a_long_article_that_leads_by_a_readers_choice_is_shown_shorter() {
    let mut world = long_issue(2, 100_000);
    world.lead = LeadRule::LastToGo;
    // Its summary is its first paragraph.
    for (_, body) in &mut world.articles {
        let html = body.html.as_str().replace(". The", ".</p><p>The");
        *body = Arc::new(Body {
            html: SafeHtml::from_sanitiser(html),
            ..Body::clone(body)
        });
    }
    let rendered = world.render().unwrap();
    let shown: Vec<Shown> = rendered.shortened.iter().map(|one| one.shown).collect();
    assert_eq!(shown, [Shown::Summary, Shown::Title]);
    assert!(rendered.edition.html_bytes() <= 90_000);
}
