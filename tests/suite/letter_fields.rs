//! Somebody who means harm has written every field that a letter shows: the
//! publication's, an article's and a reader's. Read by a parser that is not ours.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use crate::press::Press;
use crate::tools::python;

/// What stands in each field, as a TOML string: markup, quotes of both kinds,
/// line breaks with a header behind them, a template, an encoded-word, what
/// turns text around, what no text may hold.
const HARM: &str = r#""\"><script>alert(1)</script><img src=x onerror=alert(2)> '\" \r\nBcc: victim@example.net\r\n\r\n{{ reader.address }} {% include \"x\" %} =?utf-8?q?x?= \u202Egpj.exe\u0000\u001B[31m javascript:alert(3) ]]> --> &amp; &#60;b&#62;""#;

/// The same as a reader's name.
const NAME: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)> '\" \r\nBcc: victim@example.net\r\n\r\n{{ x }} =?utf-8?q?x?= \u{202E}gpj.exe\u{1B}[31m --> &amp;";

/// Reads messages from files: headers, then the tags and words of the HTML,
/// then the text.
const READER: &str = r#"
import sys, email, email.policy
from html.parser import HTMLParser

class Tags(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.words = []
    def handle_starttag(self, tag, attributes):
        assert tag not in ('script', 'iframe', 'object', 'form', 'svg', 'base', 'link'), tag
        for name, value in attributes:
            assert not name.startswith('on'), (tag, name)
            if name in ('href', 'src'):
                assert value.startswith(('https://', 'mailto:', '#a')), value
                assert 'victim' not in value and '"' not in value and '<' not in value, value
    def handle_data(self, data):
        self.words.append(data)

for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        raw = file.read()
    assert b'\0' not in raw and b'\x1b' not in raw
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        assert not part.defects, part.defects
    names = [name.lower() for name in message.keys()]
    assert len(names) == len(set(names)), names
    assert 'bcc' not in names and 'cc' not in names
    for name, value in message.items():
        assert not value.defects, (name, value.defects)
        for c in str(value):
            assert ord(c) >= 32 and c not in '\u202e\u202d\u2066', (name, value)
    assert len(message['To'].addresses) == 1, message['To']
    to = message['To'].addresses[0]
    assert to.addr_spec.endswith('@example.org'), to
    assert len(message['From'].addresses) == 1
    assert message['From'].addresses[0].addr_spec == 'news@garden.example.org'
    assert len(message['Subject']) <= 255
    tags = Tags()
    html = message.get_body(('html',)).get_content()
    tags.feed(html)
    words = ' '.join(' '.join(tags.words).split())
    text = message.get_body(('plain',)).get_content()
    for shown in (words, ' '.join(text.split())):
        # What was written is read as it was written, and nothing happened.
        assert '"><script>alert(1)</script><img src=x onerror=alert(2)>' in shown, shown
        assert '{{ reader.address }}' in shown and '{% include "x" %}' in shown
        assert 'Bcc: victim@example.net' in shown
    assert '\u202e' not in html + text
    for url in ('https://letters.example.org/unsubscribe/', 'https://garden.example.org/'):
        assert url in html and url in text, url
print(len(sys.argv) - 1)
"#;

#[test]
fn hostile_words_in_every_field_are_shown_as_words() {
    let press = Press::new();
    let long = "x".repeat(10_000);
    let names = [
        ("anna@example.org", NAME),
        ("ben@example.org", long.as_str()),
        ("cara@example.org", "\u{202E}\u{2066}\u{200B} \r\n"),
    ];
    press.subscribe_named(names);
    press.config(|config| {
        let harm = || toml::from_str::<toml::Table>(&format!("x = {HARM}")).unwrap()["x"].clone();
        // A sender with a line break is refused when settings are read.
        let publication = config["publication"].as_table_mut().unwrap();
        for field in ["title", "description", "rights"] {
            publication.insert(field.to_owned(), harm());
        }
        config["digest"][0]["title"] = harm();
        config["mail"]["list"]["postal_address"] = harm();
    });
    press.write(
        "content/food/_index.md",
        &format!("+++\ntitle = {HARM}\n+++\n"),
    );
    for (at, slug) in ["one", "two", "three", "four", "five"].iter().enumerate() {
        let mut article = format!("+++\ndate = 2026-11-2{}\n", 1 + at);
        for field in ["title", "standfirst"] {
            let _ = writeln!(article, "{field} = {HARM}");
        }
        if at % 2 == 0 {
            let _ = writeln!(article, "kicker = {HARM}");
        }
        let _ = writeln!(article, "tags = [{HARM}]\nauthors = [{{ name = {HARM} }}]");
        let _ = writeln!(
            article,
            "hero = {{ src = \"apricots.png\", alt = {HARM}, caption = {HARM}, credit = {HARM} }}\n+++\n"
        );
        let body: String = toml::from_str::<toml::Table>(&format!("x = {HARM}")).unwrap()["x"]
            .as_str()
            .unwrap()
            .replace("src=x", "src=apricots.png");
        press.article(&format!("food/{slug}.md"), &format!("{article}\n{body}\n"));
    }
    press.write_bytes(
        "content/food/apricots.png",
        &crate::picture::png(600, 300, [9, 9, 200]),
    );
    press.run(&["run"]).succeeds();
    let files = press.files("outbox");
    assert_eq!(files.len(), 3);
    let output = Command::new(python())
        .args(["-c", READER])
        .args(files.iter().map(|file| press.path(file)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, b"3\n");
}
