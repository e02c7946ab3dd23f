//! Promises of the mail layer, read back by two parsers that are not ours.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mail_parser::{HeaderValue, MessageParser, MimeHeaders};

use super::{
    rehearsal::{check_templates, full_article, sparse_article},
    *,
};
use crate::{
    config::settings::{ListSettings, MailSettings, OnUncertain, Relay, Sender, Timeouts},
    domain::{
        address::EmailAddress,
        article::{Article, Body, SafeHtml},
        digest::{Digest, FirstIssue},
        publication::{Author, Publication},
        schedule::Schedule,
        subscriber::SubscriberId,
    },
    links::{Payload, Purpose, Signer},
    templates::Templates,
};

struct World {
    publication: Publication,
    digest: Digest,
    settings: MailSettings,
    templates: Templates,
    signer: Signer,
    articles: Vec<(Article, Arc<Body>)>,
}

fn world() -> World {
    let zone = chrono_tz::Africa::Johannesburg;
    World {
        publication: Publication {
            title: "The Long Table".to_owned(),
            description: "A magazine".to_owned(),
            base_url: "https://magazine.example.org/".parse().unwrap(),
            language: "en-ZA".to_owned(),
            timezone: zone,
            authors: vec![Author::named("The editors")],
            id_authority: "magazine.example.org,2026".to_owned(),
            logo: None,
            icon: None,
            rights: None,
        },
        digest: Digest {
            name: "weekly".parse().unwrap(),
            title: "The Friday Letter".to_owned(),
            schedule: Schedule::parse("0 7 * * FRI", zone).unwrap(),
            template: "weekly".to_owned(),
            sections: Vec::new(),
            tags: Vec::new(),
            max_articles: 12,
            min_articles: 1,
            first_issue: FirstIssue::Latest,
            max_late: chrono::Duration::hours(24),
            subject: "{{ issue.lead.title }} and {{ issue.rest | length }} more".to_owned(),
        },
        settings: settings(),
        templates: Templates::load(None).0,
        signer: Signer::new(&[3; 32]),
        articles: vec![full_article(), full_article(), sparse_article()],
    }
}

fn settings() -> MailSettings {
    MailSettings {
        from: Sender {
            name: "The Long Table".to_owned(),
            address: "letters@magazine.example.org".parse().unwrap(),
        },
        reply_to: None,
        relay: Relay::Folder("outbox".into()),
        hello_name: "localhost".to_owned(),
        connections: 1,
        rate: None,
        expire_after: Duration::from_secs(1),
        relay_patience: Duration::from_secs(1),
        on_uncertain: OnUncertain::Hold,
        timeouts: Timeouts::default(),
        messages_per_connection: 100,
        list: ListSettings {
            id: None,
            postal_address: Some("12 Lower Main Road\nCape Town 7925".to_owned()),
            unsubscribe_address: None,
        },
        bounce_domain: None,
        public_url: Some("https://letters.example.org/".parse().unwrap()),
    }
}

impl World {
    fn render(&self) -> Result<Rendered, RenderError> {
        let input = IssueInput {
            publication: &self.publication,
            digest: &self.digest,
            sections: &BTreeMap::new(),
            number: 7,
            articles: self
                .articles
                .iter()
                .map(|(a, b)| (a, Arc::clone(b)))
                .collect(),
            date: "2026-11-27T07:00:00+02:00".parse().unwrap(),
        };
        render(&input, &self.templates, &self.settings, &self.signer)
    }

    fn message(&self, name: Option<&str>) -> Vec<u8> {
        let address = "thandi@example.org".parse().unwrap();
        let to = addressed(&address, name, 1);
        self.render()
            .unwrap()
            .edition
            .message(&to, &self.signer)
            .to_bytes()
    }

    fn with_template(self, text: &str) -> Self {
        self.with_templates("letter", text, text)
    }

    fn with_templates(mut self, kind: &str, html: &str, text: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("templates").join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("issue.html"), html).unwrap();
        std::fs::write(folder.join("issue.txt"), text).unwrap();
        let (templates, problems) = Templates::load(Some(&root.path().join("templates")));
        assert_eq!(problems, []);
        self.templates = templates;
        self.digest.template = kind.to_owned();
        self
    }
}

fn addressed<'a>(address: &'a EmailAddress, name: Option<&'a str>, id: i64) -> Addressed<'a> {
    Addressed {
        issue: 1,
        delivery: id,
        issue_number: 7,
        subscriber: SubscriberId([u8::try_from(id).unwrap(); 16]),
        address,
        name,
    }
}

fn header(message: &[u8], name: &str) -> String {
    let parsed = MessageParser::default().parse(message).unwrap();
    parsed.header_raw(name).unwrap().trim().to_owned()
}

/// Header and body as lines.
fn lines(message: &[u8]) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let split = |part: &str| part.split("\r\n").map(str::to_owned).collect();
    (split(head), split(body))
}

#[test]
fn the_text_part_comes_first_and_both_read_back_as_written() {
    let world = world();
    let rendered = world.render().unwrap();
    let parsed = MessageParser::default().parse(&rendered.eml).unwrap();
    let kinds: Vec<_> = parsed
        .parts
        .iter()
        .filter_map(|part| part.content_type().and_then(|kind| kind.subtype()))
        .collect();
    assert_eq!(kinds, ["alternative", "plain", "html"]);
    let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text, rendered.text);
    let html = parsed.body_html(0).unwrap().replace("\r\n", "\n");
    assert_eq!(html, rendered.html);
    assert_eq!(
        parsed.subject(),
        Some("Five soups for a cold week and 2 more")
    );
    assert_eq!(
        parsed.date().unwrap().to_rfc3339(),
        "2026-11-27T07:00:00+02:00"
    );
}

#[test]
fn python_reads_the_same_message_without_a_defect() {
    let rendered = world().render().unwrap();
    let script = "
import sys, email, email.policy
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
defects = list(m.defects)
for part in m.walk():
    defects += part.defects
for name, value in m.items():
    defects += value.defects
assert not defects, defects
assert [p.get_content_type() for p in m.iter_parts()] == ['text/plain', 'text/html']
assert m['To'].addresses[0].display_name == 'Thandi Mokoena'
assert m['List-Unsubscribe-Post'] == 'List-Unsubscribe=One-Click'
sys.stdout.write(m.get_body(('plain',)).get_content())
";
    let Ok(mut python) = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
    else {
        eprintln!("python3 is not here; mail-parser alone has looked at the message");
        return;
    };
    let mut stdin = python.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &rendered.eml).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), rendered.text);
}

#[test]
fn every_header_of_bulk_mail_is_there_once() {
    let message = world().message(Some("Thandi"));
    let (head, _) = lines(&message);
    for name in [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "List-Archive",
        "Feedback-ID",
        "Precedence",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ] {
        let start = format!("{name}: ");
        let count = head.iter().filter(|line| line.starts_with(&start)).count();
        assert_eq!(count, 1, "{name} in {head:#?}");
    }
    assert_eq!(
        header(&message, "From"),
        "The Long Table <letters@magazine.example.org>"
    );
    assert_eq!(
        header(&message, "List-Id"),
        "The Friday Letter <weekly.magazine.example.org>"
    );
    assert_eq!(header(&message, "Date"), "Fri, 27 Nov 2026 07:00:00 +0200");
}

#[test]
fn the_unsubscribe_links_name_the_reader_by_a_token_only() {
    let world = world();
    let value = header(&world.message(None), "List-Unsubscribe");
    assert!(!value.contains("thandi"), "{value}");
    let token = value
        .strip_prefix("<https://letters.example.org/unsubscribe/")
        .and_then(|rest| rest.split_once('>'))
        .unwrap()
        .0;
    assert!(value.ends_with(&format!(
        "<mailto:letters@magazine.example.org?subject=unsubscribe%20{token}>"
    )));
    let payload = world.signer.verify(Purpose::Unsubscribe, token);
    assert!(matches!(
        payload,
        Some(Payload::Reader { subscriber, .. }) if subscriber == SubscriberId([1; 16])
    ));
}

#[test]
fn one_click_is_promised_only_with_an_https_page() {
    for public_url in [None, Some("http://127.0.0.1:8080/")] {
        let mut world = world();
        world.settings.public_url = public_url.map(|url| url.parse().unwrap());
        let message = world.message(None);
        assert!(header(&message, "List-Unsubscribe").starts_with("<mailto:letters@"));
        let (head, _) = lines(&message);
        assert!(
            !head
                .iter()
                .any(|line| line.starts_with("List-Unsubscribe-Post"))
        );
    }
}

#[test]
fn a_hostile_name_is_one_clean_header() {
    let world = world();
    let huge = "x".repeat(10_000);
    for (name, read) in [
        (
            "Eve\r\nBcc: victim@example.net",
            "Eve Bcc: victim@example.net",
        ),
        ("Eve\u{0}\u{1b}[31m\u{2028}X", "Eve [31m X"),
        (
            "\"Eve\" \\ <eve@example.net>,",
            "\"Eve\" \\ <eve@example.net>,",
        ),
        ("<script>alert('1')</script>", "<script>alert('1')</script>"),
        ("abc\u{202E}def\u{2066}", "abcdef"),
        ("=?utf-8?b?QmNjOg==?=", "=?utf-8?b?QmNjOg==?="),
        ("Ünïcødé Nåmé 名前 🍲", "Ünïcødé Nåmé 名前 🍲"),
        (huge.as_str(), &format!("{}…", "x".repeat(99))),
    ] {
        let message = world.message(Some(name));
        let parsed = MessageParser::default().parse(&message).unwrap();
        let to = parsed.to().unwrap().first().unwrap();
        assert_eq!(to.name(), Some(read));
        assert_eq!(to.address(), Some("thandi@example.org"));
        assert_eq!(parsed.header_values("To").count(), 1);
        assert_eq!(parsed.bcc(), None);
        assert!(matches!(
            parsed.header("Subject"),
            Some(HeaderValue::Text(_))
        ));
    }
    let message = world.message(Some(" \r\n "));
    assert_eq!(header(&message, "To"), "thandi@example.org");
}

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
fn no_line_is_too_long_and_the_message_ends_with_one() {
    let mut world = world();
    let long = format!("<p>{}</p>", "wörd ".repeat(3_000));
    world.articles[0].1 = Arc::new(Body {
        html: SafeHtml::from_sanitiser(long),
        ..Body::default()
    });
    let message = world.message(Some(&"Ünï ".repeat(25)));
    assert!(message.ends_with(b"--\r\n"));
    let (head, body) = lines(&message);
    for line in &body {
        assert!(line.len() <= 76, "{line}");
    }
    for line in head.iter().filter(|line| !line.contains("unsubscribe")) {
        assert!(line.len() <= 78, "{line}");
    }
}

#[test]
fn every_attempt_is_the_same_message_and_two_readers_share_nothing_of_their_own() {
    let world = world();
    let rendered = world.render().unwrap();
    let stored = Edition::from_bytes(&rendered.edition.to_bytes()).unwrap();
    assert_eq!(stored, rendered.edition);
    let (anna, bert) = (
        "anna@example.org".parse().unwrap(),
        "bert@example.net".parse().unwrap(),
    );
    let to_anna = addressed(&anna, Some("Anna"), 1);
    let first = rendered.edition.message(&to_anna, &world.signer);
    let again = stored.message(&to_anna, &world.signer);
    assert_eq!(first.to_bytes(), again.to_bytes());
    assert_eq!(first.size(), first.to_bytes().len());
    let other = stored.message(&addressed(&bert, Some("Bert"), 2), &world.signer);
    assert_ne!(first.message_id(), other.message_id());
    let text = String::from_utf8(other.to_bytes()).unwrap();
    assert!(text.contains("bert@example.net") && text.contains(other.message_id()));
    assert!(!text.contains("anna") && !text.contains("Anna"));
}

#[test]
fn a_damaged_edition_is_refused() {
    let bytes = world().render().unwrap().edition.to_bytes();
    for cut in [0, 3, 7, 20, bytes.len() - 1] {
        assert!(Edition::from_bytes(&bytes[..cut]).is_err());
    }
    let mut longer = bytes.clone();
    longer.push(b'x');
    assert!(Edition::from_bytes(&longer).is_err());
}

#[test]
fn the_envelope_sender_carries_the_delivery_where_bounces_have_a_domain() {
    let mut world = world();
    let address = "anna@example.org".parse().unwrap();
    let to = addressed(&address, None, 5);
    let edition = world.render().unwrap().edition;
    let message = edition.message(&to, &world.signer);
    assert_eq!(message.envelope_from(), "letters@magazine.example.org");
    world.settings.bounce_domain = Some("bounces.example.org".to_owned());
    let edition = world.render().unwrap().edition;
    let message = edition.message(&to, &world.signer);
    let sender: EmailAddress = message.envelope_from().parse().unwrap();
    let token = sender.local().strip_prefix("bounce+").unwrap();
    let payload = world.signer.verify(Purpose::Bounce, token);
    assert_eq!(payload, Some(Payload::Delivery(5)));
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
        assert!(tag.contains("href=\"https://"), "{tag}");
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
    for kind in ["digest", "weekly"] {
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
    world.digest.subject = "{{ issue.lead.titel }}".to_owned();
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
    world.digest.subject = "x".to_owned();
    let found = check(&world);
    assert!(found.contains("templates/letter/issue.html:1: error: field `leed` is not defined; did you mean `lead`?"), "{found}");
    world.digest.template = "leter".to_owned();
    assert!(check(&world).contains("there is no template `leter`; did you mean `letter`?"));
}

const DOCUMENTATION: &str = include_str!("../../docs/templates.md");

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
        date: "2026-11-27T07:00:00+02:00".parse().unwrap(),
    };
    let marks = super::slot::Marks::new("key");
    let context = super::context::IssueContext::new(&input, &world.settings).for_body("S", &marks);
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
