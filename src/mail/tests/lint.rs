//! Promises of the lint: each rule finds what breaks it, and the built-in
//! templates break none.

use super::*;
use crate::{
    config::settings::{DkimSettings, Relay, RelaySettings, RelayTls, SmtpRelay},
    domain::problem::Level,
    mail::lint::{CLIPPED_AT, Finding, Lead, Measure, Rule, lint},
};

const DOCUMENTATION: &str = include_str!("../../../docs/lint.md");

/// A letter without fault, kind by kind: what a test breaks.
const HTML: &str = "<!DOCTYPE html>\n<html lang=\"{{ publication.language }}\" dir=\"{{ publication.dir }}\">\n\
    <head><meta name=\"viewport\" content=\"width=device-width\"><title>{{ issue.subject }}</title>\n\
    <style>p { font-size: 16px; line-height: 24px } a { color: #8a2b1f } EXTRA</style></head>\n<body>\n\
    <p>BODY</p>\n<p>To leave, <a href=\"{{ reader.unsubscribe_url }}\">unsubscribe here</a>.</p>\n\
    <p>{{ list.postal_address }}</p>\n</body></html>\n";
const TEXT: &str = "TEXT\n\nUnsubscribe: {{ reader.unsubscribe_url }}\n{{ list.postal_address }}\n";

impl World {
    /// The letter without fault but for what is said.
    fn letter(extra: &str, body: &str, text: &str) -> Self {
        let html = HTML.replace("EXTRA", extra).replace("BODY", body);
        world().with_templates("letter", &html, &TEXT.replace("TEXT", text))
    }

    fn found(&self) -> Vec<Finding> {
        found(&self.render().unwrap(), &self.publication, &self.settings)
    }

    #[track_caller]
    fn breaks(&self, rule: Rule, level: Level, what: &str) -> Finding {
        let found = self.found();
        let one = found
            .iter()
            .find(|one| one.rule == rule && one.level == level && one.what.contains(what));
        let one = one.unwrap_or_else(|| panic!("{rule:?} {what}: {found:#?}"));
        assert!(!one.remedy.is_empty());
        one.clone()
    }

    #[track_caller]
    fn breaks_nothing(&self) {
        assert_eq!(self.found(), []);
    }
}

fn found(letter: &Rendered, publication: &Publication, settings: &MailSettings) -> Vec<Finding> {
    let leads = |url: &url::Url| match (url.path(), url.fragment()) {
        ("/gone/", _) => Lead::Nowhere,
        ("/kitchen/", Some("gone")) => Lead::NoSuchHeading,
        _ => Lead::There,
    };
    let measure = Measure {
        publication,
        settings,
        leads: &leads,
    };
    lint(letter, &measure)
}

#[test]
fn the_built_in_templates_break_no_rule() {
    let mut world = world();
    for kind in ["digest", "weekly"] {
        world.digest.template = kind.to_owned();
        for articles in [
            vec![full_article(), full_article(), sparse_article()],
            (0..6).map(|_| full_article()).collect(),
        ] {
            world.articles = articles;
            world.breaks_nothing();
        }
    }
    World::letter("", "Hello", "Hello").breaks_nothing();
}

#[test]
fn every_rule_is_in_the_documentation() {
    for rule in Rule::ALL {
        let row = format!("\n| `{}` |", rule.name());
        assert!(DOCUMENTATION.contains(&row), "{row}");
    }
    assert_eq!(DOCUMENTATION.matches("\n| `").count(), Rule::ALL.len());
}

/// Finds what a change to the letter without fault breaks.
#[track_caller]
fn breaks(rule: Rule, level: Level, what: &str, change: impl FnOnce(&mut Rendered)) {
    let world = World::letter("", "Hello", "Hello");
    let mut letter = world.render().unwrap();
    change(&mut letter);
    let found = found(&letter, &world.publication, &world.settings);
    let is_meant =
        |one: &&Finding| (one.rule, one.level) == (rule, level) && one.what.contains(what);
    assert!(
        found.iter().any(|one| is_meant(&one)),
        "{rule:?} {what}: {found:#?}"
    );
}

/// Adds this to the end of the HTML part's body.
fn adding(html: &str) -> impl FnOnce(&mut Rendered) + use<> {
    let added = format!("{html}</body>");
    move |letter| letter.html = letter.html.replace("</body>", &added)
}

/// Replaces this in every part.
fn with(old: &str, new: &str) -> impl FnOnce(&mut Rendered) + use<> {
    let (old, new) = (old.to_owned(), new.to_owned());
    move |letter| {
        let eml = String::from_utf8(letter.eml.clone()).unwrap();
        let is_there = [&letter.html, &letter.text, &eml]
            .iter()
            .any(|part| part.contains(&old));
        assert!(is_there, "{old}");
        letter.html = letter.html.replace(&old, &new);
        letter.text = letter.text.replace(&old, &new);
        letter.eml = eml.replace(&old, &new).into_bytes();
    }
}

/// Of the letter without fault with this in its body, the rules that it breaks.
fn broken_by(html: &str) -> Vec<Rule> {
    let world = World::letter(
        "",
        "Hello",
        "Hello https://example.org/x https://magazine.example.org/",
    );
    let mut letter = world.render().unwrap();
    adding(html)(&mut letter);
    let found = found(&letter, &world.publication, &world.settings);
    found.into_iter().map(|one| one.rule).collect()
}

#[test]
fn what_mail_clients_cut_off_or_drop_is_found() {
    use Level::{Error, Warning};
    let filled = |bytes: usize| adding(&format!("<p>{}</p>", "soup ".repeat(bytes / 5)));
    breaks(Rule::Size, Error, "its budget of 90000", filled(90_000));
    let mut raised = World::letter("", "Hello", "Hello");
    let mut letter = raised.render().unwrap();
    filled(CLIPPED_AT)(&mut letter);
    raised.settings.size_budget = 200_000;
    let found = found(&letter, &raised.publication, &raised.settings);
    assert_eq!((found[0].rule, found[0].level), (Rule::Size, Warning));
    assert!(found[0].what.contains("Gmail cuts off after"), "{found:?}");
    let rules = "p{color:#000}".repeat(700);
    let large = format!("<style>{rules}</style></head>");
    breaks(
        Rule::StyleBlock,
        Error,
        "9100 characters",
        with("</head>", &large),
    );
    let nested = "<style>@media print{@media (width:1px){p{color:#000}}}</style></head>";
    breaks(
        Rule::StyleBlock,
        Error,
        "inside `@media print`",
        with("</head>", nested),
    );
}

#[test]
fn a_document_that_programs_cannot_read_out_is_found() {
    use Level::Warning;
    breaks(
        Rule::Document,
        Warning,
        "no `lang`",
        with(" lang=\"en-ZA\"", ""),
    );
    breaks(
        Rule::Document,
        Warning,
        "no `dir`",
        with(" dir=\"ltr\"", ""),
    );
    breaks(
        Rule::Document,
        Warning,
        "the other way",
        with("\"ltr\"", "\"rtl\""),
    );
    breaks(
        Rule::Document,
        Warning,
        "viewport",
        with("name=\"viewport\"", "name=\"x\""),
    );
    breaks(Rule::Document, Warning, "no `<title>`", |letter| {
        let (before, rest) = letter.html.split_once("<title>").unwrap();
        let (_, after) = rest.split_once("</title>").unwrap();
        letter.html = format!("{before}{after}");
    });
    breaks(Rule::TitleLength, Warning, "spam filters mind", |letter| {
        letter.html = letter
            .html
            .replace("<title>", &format!("<title>{}", "Soup! ".repeat(40)));
    });
    let table = "<table><tr><td>x</td></tr></table>";
    breaks(Rule::TableRole, Warning, "read out", adding(table));
    assert_eq!(
        broken_by("<table role=\"presentation\"><tr><td>x</td></tr></table>"),
        []
    );
    assert_eq!(broken_by("<table><tr><th>x</th></tr></table>"), []);
}

#[test]
fn pictures_that_say_nothing_or_have_no_size_are_found() {
    let src = "src=\"https://example.org/x/p.png\"";
    let words = "<p>".to_owned() + &"soup ".repeat(800) + "</p>";
    let broken = |picture: &str| broken_by(&format!("{words}<img {src} {picture}>"));
    assert_eq!(broken("alt=\"\" width=\"10\" height=\"10\""), []);
    assert_eq!(broken("width=\"10\" height=\"10\""), [Rule::Alt]);
    for size in [
        "",
        "width=\"164px\" height=\"92\"",
        "width=\"50%\" height=\"92\"",
        "width=\"0\" height=\"0\"",
    ] {
        assert_eq!(
            broken(&format!("alt=\"\" {size}")),
            [Rule::PictureSize],
            "{size}"
        );
    }
    let alone = format!("<img {src} alt=\"Soup\" width=\"10\" height=\"10\">");
    assert_eq!(broken_by(&alone), [Rule::PictureOnly]);
}

#[test]
fn what_is_too_wide_or_too_small_is_found() {
    assert_eq!(
        broken_by("<table role=\"presentation\" width=\"640\"><tr><td>x</td></tr></table>"),
        [Rule::Width]
    );
    assert_eq!(
        broken_by("<div style=\"width:601px\">x</div>"),
        [Rule::Width]
    );
    assert_eq!(broken_by("<div style=\"max-width:601px\">x</div>"), []);
    assert_eq!(
        broken_by("<p style=\"font-size:13px\">x</p>"),
        [Rule::TypeSize]
    );
    assert_eq!(
        broken_by("<p style=\"display:none;font-size:1px\">x</p>"),
        []
    );
    let link = |style: &str| format!("<a href=\"https://example.org/x\" style=\"{style}\">x</a>");
    let low = "color:#8a2b1f;line-height:24px";
    assert_eq!(
        broken_by(&format!("<p>{}</p>", link(low))),
        [Rule::TapTarget]
    );
    assert_eq!(broken_by(&format!("<p>See {}.</p>", link(low))), []);
    let high = "color:#8a2b1f;line-height:24px;padding:10px 0;display:inline-block";
    assert_eq!(broken_by(&format!("<p>{}</p>", link(high))), []);
    assert_eq!(
        broken_by(&format!("<p>See {}.</p>", link(""))),
        [Rule::LinkColour]
    );
}

#[test]
fn text_that_is_hard_to_read_is_found_in_light_and_in_dark() {
    use Level::{Error, Warning};
    let text = |colour: &str| adding(&format!("<p style=\"color:{colour}\">faint words</p>"));
    breaks(
        Rule::Contrast,
        Warning,
        "`faint words` is #888888 on #ffffff in light mode",
        text("#888"),
    );
    breaks(
        Rule::Contrast,
        Error,
        "a contrast of 1.2",
        text("rgb(238, 238, 238)"),
    );
    assert_eq!(broken_by("<p style=\"color:#767676\">x</p>"), []);
    assert_eq!(
        broken_by("<p style=\"color:#888;font-size:24px\">x</p>"),
        []
    );
    assert_eq!(
        broken_by("<div style=\"background:#000\"><p style=\"color:#888\">x</p></div>"),
        []
    );

    let dark = |rules: &str| {
        let rules = format!("@media (prefers-color-scheme: dark) {{ {rules} }}");
        World::letter(&rules, "Hello", "Hello")
    };
    let half = dark("body { background-color: #111111 !important }");
    let found = half.breaks(Rule::Contrast, Error, "in dark mode");
    assert!(found.what.contains("on #111111"), "{found:?}");
    let forgotten = dark("body { background: #111111 !important; color: #f6f1e7 !important }");
    let found = forgotten.breaks(Rule::Contrast, Warning, "`unsubscribe here` is #8a2b1f");
    assert!(found.line.is_some());
    dark("body { background: #111111 !important; color: #f6f1e7 !important } a { color: #f2a68d !important }")
        .breaks_nothing();
}

#[test]
fn links_that_lead_nowhere_from_a_mailbox_are_found() {
    let to = |href: &str| {
        broken_by(&format!(
            "<p>See <a href=\"{href}\" style=\"color:#8a2b1f\">this</a>.</p>"
        ))
    };
    for href in [
        "/garden/",
        "garden.html",
        "javascript:alert(1)",
        "ftp://example.org/x",
        "",
    ] {
        assert_eq!(to(href), [Rule::Link], "{href}");
    }
    assert_eq!(
        broken_by("<img src=\"data:image/png;base64,AA\" alt=\"\" width=\"1\" height=\"1\">"),
        [Rule::Link, Rule::PictureOnly]
    );
    assert_eq!(to("#gone"), [Rule::Anchor]);
    assert_eq!(to("#"), [Rule::Anchor]);
    assert_eq!(to("#top"), []);
    assert_eq!(
        broken_by("<p id=\"here\">See <a href=\"#here\" style=\"color:#8a2b1f\">this</a>.</p>"),
        []
    );
    for href in [
        "https://magazine.example.org/gone/",
        "https://magazine.example.org/kitchen/#gone",
    ] {
        assert_eq!(to(href), [Rule::DeadLink, Rule::TextLinks], "{href}");
    }
    assert_eq!(
        to("https://magazine.example.org/kitchen/"),
        [Rule::TextLinks]
    );
    assert_eq!(
        to("https://letters.example.org/manage/x/"),
        [Rule::TextLinks]
    );
    for href in [
        "https://example.org/x",
        "https://magazine.example.org/",
        "mailto:a@example.org",
    ] {
        assert_eq!(to(href), [], "{href}");
    }
}

#[test]
fn a_text_part_that_cannot_be_read_is_found() {
    use Level::{Error, Warning};
    breaks(Rule::TextEmpty, Error, "empty", |letter| {
        letter.text = "\n".to_owned()
    });
    for line in ["word ".repeat(16), "漢字".repeat(20)] {
        breaks(Rule::TextWidth, Warning, "columns wide", |letter| {
            letter.text.push_str(&line)
        });
    }
    let world = world();
    let mut letter = world.render().unwrap();
    letter
        .text
        .push_str(&format!("See <https://example.org/{}>.\n", "x".repeat(90)));
    assert_eq!(found(&letter, &world.publication, &world.settings), []);
}

#[test]
fn headers_that_bulk_mail_must_not_lack_are_found() {
    use Level::{Error, Warning};
    breaks(Rule::Wire, Error, "on its own", with("\r\n\r\n", "\r\n\n"));
    for header in ["Date", "Message-ID", "List-Id", "Feedback-ID"] {
        let renamed = with(&format!("\r\n{header}: "), "\r\nX-Other: ");
        breaks(
            Rule::Header,
            Error,
            &format!("no {header} header"),
            |letter| {
                letter.eml.splice(0..0, *b"X-First: 1\r\n");
                renamed(letter);
            },
        );
    }
    breaks(
        Rule::HeaderForm,
        Warning,
        "no need to be",
        with("From: The Long Table", "From: =?utf-8?q?The_Long_Table?="),
    );
    let long = format!("\r\nX-Long: {}\r\nTo: ", "word ".repeat(30));
    breaks(
        Rule::HeaderForm,
        Warning,
        "characters long",
        with("\r\nTo: ", &long),
    );
    let post = with("List-Unsubscribe=One-Click", "List-Unsubscribe=1");
    breaks(
        Rule::ListUnsubscribe,
        Error,
        "List-Unsubscribe-Post is not",
        post,
    );
    breaks(
        Rule::ListUnsubscribe,
        Error,
        "1 https and 0 mailto",
        with("<mailto:", "<tel:"),
    );
    breaks(
        Rule::ListUnsubscribe,
        Error,
        "2 https",
        with(
            "List-Unsubscribe: ",
            "List-Unsubscribe: <https://example.org/>, ",
        ),
    );
}

#[test]
fn a_subject_that_is_not_shown_is_found() {
    let mut world = World::letter("", "Hello", "Hello");
    world.articles[0].0.title = "Soup ".repeat(14);
    world.breaks(Rule::SubjectLength, Level::Warning, "columns wide");
    world.articles[0].0.title = "Soup ".repeat(80);
    world.breaks(Rule::SubjectLength, Level::Warning, "cut off");
}

#[test]
fn a_letter_that_nobody_can_leave_or_answer_by_post_is_found() {
    use Level::{Error, Warning};
    breaks(
        Rule::Unsubscribe,
        Error,
        "the HTML part",
        with("unsubscribe here</a>", "</a>"),
    );
    breaks(Rule::Unsubscribe, Error, "the text part", |letter| {
        letter.text = letter.text.replace("https://letters", "http://letters");
    });
    breaks(Rule::PostalAddress, Error, "the HTML part", |letter| {
        letter.html = letter.html.replace("Cape Town", "");
    });
    breaks(Rule::PostalAddress, Error, "the text part", |letter| {
        letter.text = letter.text.replace("Cape Town", "");
    });
    let mut world = world();
    world.settings.list.postal_address = None;
    let found = world.breaks(Rule::PostalAddress, Warning, "no postal address");
    assert_eq!(found.needle.as_deref(), Some("mail.list"));
}

#[test]
fn a_list_without_a_page_to_leave_is_found_once_mail_leaves_the_machine() {
    let mut world = world();
    world.settings.public_url = None;
    let relay = |relay| RelaySettings {
        relay,
        weight: 1,
        connections: 1,
        rate: None,
    };
    world.settings.relays = vec![relay(Relay::Folder("outbox".into()))];
    world.breaks_nothing();
    let server = SmtpRelay {
        host: "mail.example.org".to_owned(),
        port: 465,
        tls: RelayTls::Implicit,
        login: None,
        password: None,
        password_file: None,
        tls_ca_file: None,
    };
    world.settings.relays = vec![relay(Relay::Smtp(server))];
    let found = world.breaks(Rule::ListUnsubscribe, Level::Warning, "no https address");
    assert_eq!(found.needle.as_deref(), Some("serve.public_url"));
}

#[test]
fn a_signature_that_leaves_something_open_is_found() {
    let mut world = world();
    let mut dkim = DkimSettings {
        domain: "magazine.example.org".to_owned(),
        keys: Vec::new(),
        valid_for: None,
    };
    let signed = |tags: &str| {
        let mut letter = world.render().unwrap();
        let field = format!("DKIM-Signature: v=1; a=rsa-sha256;\r\n {tags}; b=AA\r\n");
        letter.eml.splice(0..0, field.into_bytes());
        letter
    };
    let all = "h=From:From:To:Subject:Date:Message-ID:\r\n MIME-Version:Content-Type:\r\n\
               \u{20}List-Id:List-Unsubscribe:List-Unsubscribe-Post";
    let whole = signed(all);
    let open = signed(&all.replace(":List-Unsubscribe-Post", ""));
    let longer = signed(&format!("{all}; l=10"));
    world.settings.dkim = Some(dkim.clone());
    let said = |letter: &Rendered, settings: &MailSettings| {
        let found = found(letter, &world.publication, settings);
        found.into_iter().map(|one| one.what).collect::<Vec<_>>()
    };
    assert_eq!(said(&whole, &world.settings), [""; 0]);
    let lacks = "the DKIM signature does not cover list-unsubscribe-post";
    assert_eq!(said(&open, &world.settings), [lacks]);
    assert!(said(&longer, &world.settings)[0].contains("`l=`"));
    dkim.domain = "example.org".to_owned();
    let above = MailSettings {
        dkim: Some(dkim.clone()),
        ..world.settings.clone()
    };
    assert_eq!(said(&whole, &above), [""; 0]);
    dkim.domain = "example.net".to_owned();
    let other = MailSettings {
        dkim: Some(dkim),
        ..world.settings.clone()
    };
    let signs = "mail from magazine.example.org is signed for example.net";
    assert_eq!(said(&whole, &other), [signs]);
}
