//! Promises of finished messages, read back by two parsers that are not ours.

use super::*;

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
    let mut python = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 is needed; tests/run installs it");
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
    let first = composer(&rendered.edition)
        .message(&to_anna, &world.signer)
        .unwrap();
    let again = composer(&stored).message(&to_anna, &world.signer).unwrap();
    assert_eq!(first.to_bytes(), again.to_bytes());
    assert_eq!(first.size(), first.to_bytes().len());
    let other = composer(&stored)
        .message(&addressed(&bert, Some("Bert"), 2), &world.signer)
        .unwrap();
    let [first, bytes] = [first, other].map(|message| message.to_bytes());
    let message_id = |bytes: &[u8]| {
        let parsed = MessageParser::default().parse(bytes).unwrap();
        parsed.message_id().unwrap().to_owned()
    };
    assert_ne!(message_id(&first), message_id(&bytes));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("bert@example.net"));
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
    for at in [2, 5, 9, 40, bytes.len() / 2, bytes.len() - 1] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(Edition::from_bytes(&other).is_err(), "byte {at}");
    }
}

#[test]
fn the_envelope_sender_carries_the_delivery_where_bounces_have_a_domain() {
    let mut world = world();
    let sender = composer(&world.render().unwrap().edition)
        .envelope_from(5, &world.signer)
        .unwrap();
    assert_eq!(sender.expose(), "letters@magazine.example.org");
    world.settings.bounce_domain = Some("bounces.example.org".to_owned());
    let sender = composer(&world.render().unwrap().edition)
        .envelope_from(5, &world.signer)
        .unwrap();
    assert_eq!(sender.domain(), "bounces.example.org");
    let token = sender.local().strip_prefix("bounce+").unwrap();
    let payload = world.signer.verify(Purpose::Bounce, token);
    assert_eq!(payload, Some(Payload::Delivery(5)));
}

#[test]
fn no_message_is_larger_than_that_to_the_longest_name_and_address() {
    let reader = "{{ reader.name }} {{ reader.address }} {{ reader.unsubscribe_url }}\n".repeat(20);
    for fallback in ["friend".to_owned(), "friend ".repeat(900)] {
        let greeting = format!("{{{{ reader.name | fallback(value=\"{fallback}\") }}}}\n");
        none_is_larger(&world().with_template(&(greeting + &reader)));
    }
}

fn none_is_larger(world: &World) {
    let composer = composer(&world.render().unwrap().edition);
    let largest = composer.largest(&world.signer).unwrap();
    let long = format!("{}@{}.example.org", "t".repeat(64), "e".repeat(63));
    for name in [
        "",
        "Thandi",
        &"<\"&'>".repeat(200),
        &"👩🏽‍🌾".repeat(200),
        &"ü ".repeat(200),
    ] {
        for address in ["t@example.org", &long, "ünï@example.org"] {
            let address = EmailAddress::international(address).unwrap();
            let to = addressed(&address, Some(name), 1);
            let size = composer.message(&to, &world.signer).unwrap().size();
            assert!(size <= largest, "{size} > {largest}: {name} {address:?}");
        }
    }
}
