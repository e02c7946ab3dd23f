//! Articles, names and lists written by somebody who means harm, seen by a
//! real Postfix and an independent parser.

use std::collections::BTreeSet;

use crate::mailbox::Mail;
use crate::postfix::{Options, Postfix};
use crate::press::Press;

/// The headers every message has, in their order; Postfix adds its own above.
const HEADERS: [&str; 15] = [
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
    "Content-Language",
    "MIME-Version",
    "Content-Type",
];

/// Asserts that the message has our headers, each once, and none besides.
#[track_caller]
fn headers_are_ours(mail: &Mail) {
    let names = mail.header_names();
    let first = names.iter().position(|name| *name == "Date").unwrap();
    assert_eq!(names[first..], HEADERS);
    let traces: BTreeSet<&str> = names[..first].iter().copied().collect();
    let allowed = BTreeSet::from(["Return-Path", "X-Original-To", "Delivered-To", "Received"]);
    assert!(traces.is_subset(&allowed), "{names:?}");
    for line in String::from_utf8_lossy(&mail.raw).lines() {
        assert!(line.len() <= 998, "{} bytes: {line:.80}", line.len());
    }
}

/// Titles, as TOML strings, and the subject each makes.
const TITLES: [(&str, &str); 6] = [
    (
        r#""{{ mail.password }} {% include \"x\" %} {# y #}""#,
        "{{ mail.password }} {% include \"x\" %} {# y #} and 4 more",
    ),
    (
        r#""Rain\nBcc: victim@example.org""#,
        "Rain Bcc: victim@example.org and 4 more",
    ),
    (
        r#""Rain\r\n\r\n<b>body</b>""#,
        "Rain <b>body</b> and 4 more",
    ),
    (
        r#""Rain\u0000\u0007\u001b[31m red""#,
        "Rain [31m red and 4 more",
    ),
    (
        r#""Rain \u202Eexe.gpj\u202C \u2028end""#,
        "Rain exe.gpj end and 4 more",
    ),
    (
        r#""=?utf-8?q?Rain?= & \"Sun\" <i>""#,
        "=?utf-8?q?Rain?= & \"Sun\" <i> and 4 more",
    ),
];

#[test]
fn a_hostile_title_becomes_one_clean_subject() {
    let postfix = Postfix::start(&Options::default());
    for (title, subject) in TITLES {
        let press = Press::new();
        press
            .subscribe(["anna@example.org"])
            .relay(&postfix.url())
            .article(
                "garden/hostile.md",
                &format!("+++\ntitle = {title}\ndate = 2026-11-26\n+++\n\nText.\n"),
            );
        let before = postfix.all_delivered().len();
        press.run(&["run"]).succeeds();
        let delivered = postfix.all_delivered();
        assert_eq!(delivered.len(), before + 1, "{title}");
        let mails: Vec<Mail> = delivered.iter().map(|one| Mail::parse(&one.data)).collect();
        let found: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
        assert!(found.contains(&subject), "{title}: {found:#?}");
        mails.iter().for_each(headers_are_ours);
    }
    assert!(
        postfix
            .delivered()
            .iter()
            .all(|one| one.recipient == "anna@example.org"),
        "nobody else was written to"
    );
}

/// What moves the cursor, colours the text or turns its direction.
fn does_something(c: char) -> bool {
    let is_control = c.is_control() && c != '\n';
    let is_direction = matches!(
        c,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    );
    is_control || is_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

#[test]
fn a_hostile_title_does_nothing_to_a_terminal() {
    for (title, subject) in TITLES {
        let press = Press::new();
        press.subscribe(["anna@example.org"]).article(
            "garden/hostile.md",
            &format!("+++\ntitle = {title}\ndate = 2026-11-26\n+++\n\nText.\n"),
        );
        let mut said = String::new();
        for arguments in [
            &["plan"][..],
            &["check"],
            &["-v", "run"],
            &["issues", "show", "weekly/1"],
            &["issues", "list"],
            &["status"],
        ] {
            let run = press.run(arguments);
            assert_eq!(run.code(), Some(0), "{run}");
            said += &run.stdout;
            said += &run.stderr;
        }
        let harm: Vec<&str> = said
            .lines()
            .filter(|line| line.contains(does_something))
            .collect();
        assert!(harm.is_empty(), "{title}: {harm:?}");
        let begin = subject.trim_end_matches(" and 4 more");
        assert!(said.contains(begin), "{title} is not among\n{said}");
    }
}

#[test]
fn a_title_of_ten_kilobytes_is_cut_to_one_subject_line() {
    let press = Press::new();
    press.subscribe(["anna@example.org"]).article(
        "garden/long.md",
        &format!(
            "+++\ntitle = \"{}\"\ndate = 2026-11-26\n+++\n\nText.\n",
            "rain ".repeat(2_000)
        ),
    );
    press.run(&["run"]).succeeds();
    let file = press.files("outbox").remove(0);
    let mail = Mail::parse(&press.read_bytes(&file));
    assert!(mail.subject.starts_with("rain rain"), "{}", mail.subject);
    assert!(mail.subject.chars().count() <= 255, "{}", mail.subject);
    headers_are_ours(&mail);
}

#[test]
fn hostile_names_stay_inside_their_own_to_header() {
    let long = "x".repeat(10_000);
    let names = [
        ("anna@example.org", "Anna\r\nBcc: victim@example.org"),
        ("ben@example.com", "Ben\nSubject: other\n\nbody"),
        ("carla@example.net", "\"Carla\" <victim@example.org>, x"),
        (
            "dumi@example.org",
            "<script>alert(1)</script> & {{ token }}",
        ),
        ("elif@example.com", &long),
        (
            "farid@example.net",
            "\u{202E}dirf\u{202C} ليلى \u{200B}\u{0}",
        ),
        ("grace@example.org", "=?utf-8?q?Grace=0D=0ABcc:_x?="),
        ("hana@example.com", "Hana\\\" <b@example.org>\\"),
    ];
    let postfix = Postfix::start(&Options::default());
    let press = Press::new();
    press.subscribe_named(names).relay(&postfix.url());
    press.run(&["run"]).succeeds();
    let delivered = postfix.all_delivered();
    let reached: Vec<&str> = delivered.iter().map(|one| one.recipient.as_str()).collect();
    assert_eq!(reached, names.map(|(address, _)| address));
    for one in &delivered {
        let mail = Mail::parse(&one.data);
        headers_are_ours(&mail);
        assert_eq!(mail.to, [one.recipient.as_str()], "one recipient");
        let html = mail.html.unwrap();
        assert!(!html.contains("<script>"), "{}", one.recipient);
    }
}

#[test]
fn an_address_with_line_breaks_is_refused_with_its_line() {
    let press = Press::new();
    press.write(
        "list.csv",
        "email,name\nanna@example.org,Anna\n\
         \"ben@example.com\r\nRCPT TO:<victim@example.org>\",Ben\n",
    );
    let import = press.run(&["subscribers", "import", "list.csv"]);
    import
        .exits(65)
        .says("1 line cannot be used, nothing was imported");
    let told = [import.stdout.as_str(), import.stderr.as_str()].concat();
    assert!(told.contains("list.csv:3: error: "), "{import}");
    let listed = press.run(&["subscribers", "list"]);
    assert_eq!(listed.stdout, "", "nothing was imported");

    press
        .run(&[
            "subscribers",
            "add",
            "a@example.org\r\nRCPT TO:<b@example.org>",
        ])
        .exits(65);
    assert_eq!(press.run(&["subscribers", "list"]).stdout, "");
}

/// Every odd thing a body can hold on the wire.
fn odd_body() -> String {
    let long = "long".repeat(1_000);
    format!(
        "First paragraph {long} end.\n\n\
         ```\n.\n..\n.hidden\n\nFrom here\nQUIT\n```\n\n\
         A bare\rreturn, a tab\tand a trailing space. \n\n\
         {}\n\nLast = paragraph =3D.\n",
        "word ".repeat(400)
    )
}

#[test]
fn bodies_arrive_as_they_were_rendered_whatever_lines_they_have() {
    let postfix = Postfix::start(&Options::default());
    let press = Press::new();
    press
        .subscribe(["thandi.mokoena@example.org"])
        .relay(&postfix.url())
        .article(
            "garden/odd.md",
            &format!(
                "+++\ntitle = \"Odd\"\ndate = 2026-11-26\n+++\n\n{}",
                odd_body()
            ),
        );
    for (kind, whole) in [("html", "html"), ("txt", "text")] {
        let template = format!(
            "{{% extends \"digest/issue.{kind}\" %}}\n\
             {{% block body %}}{{{{ issue.lead.{whole} }}}}{{% endblock body %}}\n"
        );
        press.write(&format!("templates/weekly/issue.{kind}"), &template);
    }
    press
        .run(&["render", "weekly", "--out", "shown"])
        .succeeds();
    press.run(&["run"]).succeeds();
    let delivered = postfix.all_delivered();
    let mail = Mail::parse(&delivered[0].data);
    headers_are_ours(&mail);
    let shown = Mail::parse(&press.read_bytes("shown/issue.eml"));
    for (part, stored, rendered) in [
        ("text", &mail.text, &shown.text),
        ("html", &mail.html, &shown.html),
    ] {
        let (stored, rendered) = (stored.as_ref().unwrap(), rendered.as_ref().unwrap());
        let lines = |text: &str| -> Vec<String> {
            let own = ["unsubscribe", "preferences"];
            let lines = text
                .lines()
                .filter(|line| !own.iter().any(|one| line.contains(one)));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(lines(stored), lines(rendered), "{part}");
        assert!(!stored.contains("\r\r"), "{part}");
    }
    let text = mail.text.unwrap();
    for line in [".", "..", ".hidden", "From here", "QUIT"] {
        assert!(
            text.lines().any(|found| found.trim() == line),
            "{line:?} is missing in\n{text}"
        );
    }
    // A word that is wider than a line goes on on the next ones.
    let whole: String = text.split_whitespace().collect();
    assert!(whole.contains(&"long".repeat(1_000)));
    let mut lines = text.lines().filter(|line| !line.contains("://"));
    assert!(lines.all(|line| line.chars().count() <= 78));
}
