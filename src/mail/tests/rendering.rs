//! Promises of what a rendered issue looks like and who may write into it.

use super::*;

const DOCUMENTATION: &str = include_str!("../../../docs/templates.md");

#[test]
fn a_slot_is_escaped_for_where_it_stands() {
    let world = world().with_template(
        "<p title=\"{{ reader.name }}\">{{ reader.name | fallback(value=\"you & yours\") }}</p>\
         <a href=\"https://example.org/?n={{ reader.name }}\">x</a>",
    );
    let message = world.message(Some("A \"b\" <i> & c"));
    let parsed = MessageParser::default().parse(&message).unwrap();
    let html = parsed.body_html(0).unwrap();
    let escaped = "A &quot;b&quot; &lt;i&gt; &amp; c";
    assert!(
        html.contains(&format!("title=\"{escaped}\">{escaped}</p>")),
        "{html}"
    );
    assert!(
        html.contains("?n=A%20%22b%22%20%3Ci%3E%20%26%20c\""),
        "{html}"
    );
    let message = world.message(None);
    let parsed = MessageParser::default().parse(&message).unwrap();
    assert!(
        parsed
            .body_html(0)
            .unwrap()
            .contains(">you &amp; yours</p>")
    );
}

#[test]
fn a_filter_on_a_slot_is_refused() {
    for template in [
        "{{ reader.name | upper }}",
        "{{ reader.name | truncate(length=20) }}",
    ] {
        let error = world().with_template(template).render().unwrap_err();
        assert!(matches!(error, RenderError::Mark { .. }), "{error}");
    }
}

#[test]
fn article_text_is_never_a_template_nor_markup_nor_a_slot() {
    let mut world = world();
    let article = &mut world.articles[0].0;
    article.title = "{{ secrets }} & <b>bold</b>\r\nBcc: a@example.org".to_owned();
    article.standfirst = Some("{% include \"x\" %} lpslotnz".to_owned());
    let rendered = world.render().unwrap();
    assert_eq!(
        rendered.subject,
        "{{ secrets }} & <b>bold</b> Bcc: a@example.org and 2 more"
    );
    assert!(
        rendered
            .html
            .contains("{{ secrets }} &amp; &lt;b&gt;bold&lt;/b&gt; Bcc:")
    );
    assert!(rendered.html.contains("{% include \"x\" %} lpslotnz"));
    let parsed = MessageParser::default().parse(&rendered.eml).unwrap();
    assert_eq!(parsed.bcc(), None);
    assert_eq!(parsed.subject(), Some(rendered.subject.as_str()));
}

#[test]
fn the_html_holds_up_in_mail_clients() {
    let mut world = world();
    world.articles = (0..6).map(|_| full_article()).collect();
    let rendered = world.render().unwrap();
    let html = &rendered.html;
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en-ZA\" dir=\"ltr\">"));
    assert_eq!(html.matches("<style>").count(), 1);
    let style = html
        .split("<style>")
        .nth(1)
        .unwrap()
        .split("</style>")
        .next()
        .unwrap();
    assert!(style.len() < 8192);
    assert!(style.contains("prefers-color-scheme: dark") && style.contains("max-width"));
    assert!(html.find("<meta charset=\"utf-8\">").unwrap() < 200);
    for tag in html
        .split("<img")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
    {
        assert!(tag.contains("alt=\""), "{tag}");
        assert!(
            tag.contains("width=\"552\" height=\"311\"")
                || tag.contains("width=\"164\" height=\"92\""),
            "{tag}"
        );
    }
    for tag in html
        .split("<a ")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
    {
        assert!(tag.contains("style=\"") && tag.contains("color:#"), "{tag}");
        let leads_somewhere = tag.contains("href=\"https://") || tag.contains("href=\"#a");
        assert!(leads_somewhere, "{tag}");
    }
    for table in html
        .split("<table")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
    {
        assert!(table.contains("role=\"presentation\""), "{table}");
    }
    assert!(html.contains("In this issue") && html.contains("<!--[if mso]>"));
    assert!(!html.contains("lpslot") && !html.contains("{{"));
    assert_eq!(rendered.edition.html_bytes(), html.len());
}

#[test]
fn the_text_lists_every_address_of_the_html_within_78_columns() {
    let rendered = world().render().unwrap();
    for link in rendered.html.split("href=\"").skip(1) {
        let url = link.split('"').next().unwrap();
        assert!(rendered.text.contains(url), "{url}");
    }
    for line in rendered
        .text
        .lines()
        .filter(|line| !line.starts_with("https://"))
    {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 78, "{line}");
    }
    assert!(
        rendered
            .text
            .contains("12 Lower Main Road\nCape Town 7925\n")
    );
    assert!(
        rendered
            .text
            .contains("Unsubscribe:\nhttps://letters.example.org/unsubscribe/")
    );
    assert!(!rendered.text.contains("\n\n\n"));
}

#[test]
fn the_built_in_kinds_pass_their_own_check() {
    let mut world = world();
    for kind in ["digest", "weekly", "letter", "announcement"] {
        world.digest.template = kind.to_owned();
        let World {
            publication,
            digest,
            templates,
            settings,
            ..
        } = &world;
        assert_eq!(
            check_templates(publication, digest, templates, settings),
            []
        );
    }
}

#[test]
fn a_check_finds_faults_in_kind_subject_and_template() {
    let mut world = world().with_template("{{ issue.leed.title }}{% if isue %}x{% endif %}");
    world.digest.subject = Some("{{ issue.lead.titel }}".to_owned());
    let check = |world: &World| {
        let World {
            publication,
            digest,
            templates,
            settings,
            ..
        } = world;
        check_templates(publication, digest, templates, settings)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let found = check(&world);
    assert!(found.contains("letterpress.toml: error: `subject` of digest `weekly`: field `titel` is not defined; did you mean `title`?"), "{found}");
    assert!(found.contains("variable `isue` is not defined"), "{found}");
    world.digest.subject = Some("x".to_owned());
    let found = check(&world);
    assert!(found.contains("templates/letter/issue.html:1: error: field `leed` is not defined; did you mean `lead`?"), "{found}");
    world.digest.template = "leter".to_owned();
    assert!(check(&world).contains("there is no template `leter`; did you mean `letter`?"));
}

#[test]
fn the_example_of_the_documentation_works() {
    let example = |fence: &str| {
        let (_, rest) = DOCUMENTATION.split_once(fence).unwrap();
        rest.split("\n```").next().unwrap().to_owned()
    };
    let (html, text) = (example("```html\n"), example("```\n{%"));
    let world = world().with_templates("weekly", &html, &format!("{{%{text}"));
    let rendered = world.render().unwrap();
    for part in [&rendered.html, &rendered.text] {
        assert!(part.contains("Good morning, Thandi Mokoena."), "{part}");
        assert!(part.contains("Five soups"), "{part}");
    }
}

#[test]
fn everything_a_template_sees_is_documented() {
    fn names(value: &tera::Value, found: &mut Vec<String>) {
        for item in value.as_array().unwrap_or_default() {
            names(item, found);
        }
        for (name, inner) in value.as_map().into_iter().flatten() {
            found.push(name.to_string());
            names(inner, found);
        }
    }
    let world = world();
    let input = IssueInput {
        publication: &world.publication,
        digest: &world.digest,
        sections: &BTreeMap::new(),
        number: 1,
        articles: world
            .articles
            .iter()
            .map(|(a, b)| (a, Arc::clone(b)))
            .collect(),
        shown: Vec::new(),
        lead: LeadRule::Kept,
        has_page: true,
        pictures: &Pictures::default(),
        date: "2026-11-27T07:00:00+02:00".parse().unwrap(),
    };
    let marks = super::slot::Marks::new("key");
    let context = super::context::IssueContext::new(
        &input,
        &input.wished(),
        &world.settings,
        &world.templates,
    )
    .for_body("S", &marks);
    let mut found = Vec::new();
    for top in super::context::NAMES {
        found.push(top.to_owned());
        names(context.get(top).unwrap(), &mut found);
    }
    assert!(found.len() > 50, "{found:?}");
    for name in found {
        assert!(
            DOCUMENTATION.contains(&format!("`{name}`")),
            "`{name}` is not documented"
        );
    }
}

#[test]
fn on_the_web_an_edition_shows_what_everybody_got_and_nothing_of_one_reader() {
    let world = world();
    let rendered = world.render().unwrap();
    let base = &world.publication.base_url;
    let page = rendered
        .edition
        .for_the_web(Everybody {
            address: "our readers",
            base_url: base,
        })
        .unwrap();
    assert_eq!(page.subject, rendered.subject);
    assert!(
        page.html.contains("It was sent to our readers."),
        "{}",
        page.html
    );
    assert!(page.html.contains("The Friday Letter"));
    assert!(
        page.style.contains("@media (prefers-color-scheme: dark)"),
        "{}",
        page.style
    );
    for gone in [
        "Unsubscribe",
        "unsubscribe",
        "cellpadding",
        "<!--",
        "mso-",
        "thandi",
    ] {
        assert!(!page.html.contains(gone), "{gone} is in {}", page.html);
    }
}
