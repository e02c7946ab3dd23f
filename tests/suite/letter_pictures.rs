//! The pictures of letters, from the file of an article to the reader's screen.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::mailbox::Mail;
use crate::picture::png;
use crate::press::Press;
use crate::tools::python;

/// A kind of letter that shows every picture in every way.
const TEMPLATE: &str = r#"{% extends "base.html" %}{% block body %}<tr><td>
{% for article in issue.articles %}
{% if article.hero %}
<img class="a" src="{{ article.hero.mail_url }}"{% if article.hero.mail_url_2x %} srcset="{{ article.hero.mail_url_2x }} 2x"{% endif %} width="{{ article.hero.mail_width }}" height="{{ article.hero.mail_height }}" alt="x">
<img class="b" src="{{ article.hero.thumb_url }}"{% if article.hero.thumb_url_2x %} srcset="{{ article.hero.thumb_url_2x }} 2x"{% endif %} width="{{ article.hero.thumb_width }}" height="{{ article.hero.thumb_height }}" alt="x">
{% endif %}
{{ article.html }}
{% endfor %}
</td></tr>{% endblock body %}"#;

const TEXT_TEMPLATE: &str =
    r#"{% extends "base.txt" %}{% block body %}{{ issue.lead.text }}{% endblock body %}"#;

/// A press with one article, whose hero is a photograph of 1600 by 900 pixels.
fn press() -> Press {
    let press = Press::new();
    press.subscribers(1);
    for old in ["garden", "food"] {
        fs::remove_dir_all(press.path(&format!("content/{old}"))).unwrap();
    }
    press.write("templates/shown/issue.html", TEMPLATE);
    press.write("templates/shown/issue.txt", TEXT_TEMPLATE);
    press.set_digest("template", "shown");
    press.write_bytes("content/a/photo.jpg", &photograph());
    press.article(
        "a/lead.md",
        "+++\ntitle = \"Lead\"\ndate = 2026-11-25\nhero = { src = \"photo.jpg\", alt = \"A table\" }\n+++\n\nWords, and ![small](small.png \"t\").\n",
    );
    press.write_bytes("content/a/small.png", &png(40, 20, [9, 90, 9]));
    press
}

fn photograph() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read(root.join("content/food/padkos-for-december.jpg")).unwrap()
}

/// Addresses in the HTML that lie in the folder of copies, and their names.
fn copies(html: &str) -> Vec<&str> {
    let all = html.split("https://garden.example.org/mail/").skip(1);
    all.map(|rest| rest.split(['"', ' ']).next().unwrap())
        .collect()
}

fn letter(press: &Press) -> Mail {
    let files = press.files("outbox");
    Mail::parse(&press.read_bytes(files.last().unwrap()))
}

#[test]
fn a_letter_shows_copies_of_the_size_it_needs_and_they_outlive_every_build() {
    let press = press();
    press.run(&["build"]).succeeds();
    assert!(!press.path("public/mail").exists(), "made for nobody");
    press.run(&["run"]).succeeds();
    let mail = letter(&press);
    let html = mail.html.as_deref().unwrap();
    assert!(html.contains("width=\"552\" height=\"311\""), "{html}");
    assert!(html.contains("width=\"164\" height=\"92\""), "{html}");
    assert!(html.contains("width=\"40\" height=\"20\" alt=\"small\" title=\"t\""));
    let names = copies(html);
    assert_eq!(names.len(), 5, "{names:?}");
    for (name, width) in names.iter().zip([552, 1104, 164, 328, 40]) {
        let end = if width == 40 { "png" } else { "jpg" };
        assert!(name.ends_with(&format!("-{width}.{end}")), "{name}");
        let bytes = press.read_bytes(&format!("public/mail/{name}"));
        let size = imagesize::blob_size(&bytes).unwrap();
        assert_eq!(size.width, width);
        assert!(bytes.len() < 200_000, "{name} has {} bytes", bytes.len());
    }
    // The article goes, the letter stays; nothing of it is anybody else's.
    fs::remove_dir_all(press.path("content/a")).unwrap();
    let built = press.run(&["build"]);
    built.succeeds().conceals("mail/").conceals("left alone");
    for name in names {
        assert!(press.path(&format!("public/mail/{name}")).is_file());
    }
}

#[test]
fn what_is_there_is_not_made_again() {
    let press = press();
    let test = ["send", "weekly", "--test", "editor@example.org"];
    press.run(&test).succeeds();
    let file = press.files("public/mail").remove(0);
    press.write(&file, "as it was");
    press.run(&test).succeeds();
    press.run(&["run"]).succeeds();
    assert_eq!(press.read(&file), "as it was");
    assert_eq!(press.files("public/mail").len(), 5);
}

#[test]
fn a_rendering_shows_its_pictures_from_beside_it_and_publishes_none() {
    let press = press();
    press.run(&["render", "weekly", "--out", "look"]).succeeds();
    assert!(!press.path("public/mail").exists());
    let html = press.read("look/issue.html");
    let sources: Vec<&str> = html.split("src=\"").skip(1).collect();
    assert!(sources.len() >= 3, "{sources:?}");
    for source in sources {
        let source = source.split('"').next().unwrap();
        assert!(source.starts_with("mail/"), "{source}");
        assert!(press.path(&format!("look/{source}")).is_file(), "{source}");
    }
    let mail = Mail::parse(&press.read_bytes("look/issue.eml"));
    assert_eq!(copies(mail.html.as_deref().unwrap()).len(), 5);
}

#[test]
fn pictures_that_cannot_be_shown_are_told_with_file_and_remedy() {
    let press = press();
    // Something else under the name of a picture, and more than 50 megapixels.
    press.write("content/a/photo.jpg", "<html>404</html>");
    press
        .run(&["check"])
        .exits(65)
        .prints("content/a/lead.md:4: error: `photo.jpg` is not a JPEG, PNG, WebP, GIF, AVIF or SVG picture; save it again");
    let mut large = png(8, 8, [1, 2, 3]);
    large[16..20].copy_from_slice(&10_000_u32.to_be_bytes());
    large[20..24].copy_from_slice(&6_000_u32.to_be_bytes());
    press.write_bytes("content/a/photo.jpg", &large);
    press
        .run(&["check"])
        .exits(65)
        .prints("lead.md:4: error: `photo.jpg` has 10000 × 6000 pixels, more than any reader can be shown; make it smaller");
    // A good head and nothing behind it.
    large[20..24].copy_from_slice(&60_u32.to_be_bytes());
    press.write_bytes("content/a/photo.jpg", &large[..60]);
    press
        .run(&["check"])
        .exits(65)
        .prints("content/a/photo.jpg: error: is a broken picture");
    press
        .run(&["send", "weekly"])
        .exits(65)
        .says("error: `content/a/photo.jpg` is a broken picture")
        .says("hint: save it again as JPEG or PNG");
    assert!(!press.path("outbox").exists());
}

#[test]
fn a_large_animation_becomes_its_first_picture_with_a_warning() {
    let press = press();
    for (frames, remark, warns) in [(3, 0, false), (3, 600_000, true), (1, 600_000, false)] {
        press.write_bytes("content/a/photo.jpg", &animation(frames, remark));
        let rendered = press.run(&["render", "weekly", "--out", "look"]);
        rendered.succeeds();
        let text =
            "content/a/photo.jpg: warning: is animated, and mail shows its first picture only";
        if warns {
            rendered.says(text);
            press.run(&["check"]).succeeds().prints(text);
            press.run(&["check", "--strict"]).exits(65);
        } else {
            rendered.conceals("animated");
        }
        let html = press.read("look/issue.html");
        let is_whole = frames > 1 && remark == 0;
        assert_eq!(html.contains("-2.gif"), is_whole, "{html}");
    }
}

/// A GIF of two by two pixels, of so many frames, with a remark of some length.
fn animation(frames: usize, remark: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x02\0\x02\0\x80\0\0\xff\0\0\0\0\xff\x21\xfe".to_vec();
    for _ in 0..remark / 255 {
        bytes.push(255);
        bytes.extend_from_slice(&[b'x'; 255]);
    }
    bytes.push(0);
    for _ in 0..frames {
        bytes.extend_from_slice(b"\x21\xf9\x04\0\x0a\0\0\0");
        bytes.extend_from_slice(b"\x2c\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0");
    }
    bytes.push(0x3b);
    bytes
}

/// Reads the message as a mail client would: which parts stand in which, and
/// whether every `cid:` of the HTML is a picture that can be shown.
const READER: &str = r#"
import sys, re, email, email.policy
message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
for part in message.walk():
    assert not part.defects, part.defects
assert message.get_content_type() == 'multipart/alternative'
text, related = message.iter_parts()
assert text.get_content_type() == 'text/plain'
assert related.get_content_type() == 'multipart/related', related
assert related.get_param('type') == 'text/html'
html, *pictures = related.iter_parts()
assert html.get_content_type() == 'text/html'
known = {}
for picture in pictures:
    assert picture.get_content_disposition() == 'inline'
    data = picture.get_content()
    magic = {'image/jpeg': b'\xff\xd8\xff', 'image/png': b'\x89PNG'}[picture.get_content_type()]
    assert data.startswith(magic)
    known[picture['Content-ID']] = picture.get_filename()
shown = set(re.findall(r'src="cid:([^"]+)"', html.get_content()))
assert len(shown) == 3, shown
assert {f'<{one}>' for one in shown} == set(known), (shown, known)
assert 'src="http' not in html.get_content() and 'srcset' not in html.get_content()
print('\n'.join(sorted(known.values())))
"#;

#[test]
fn pictures_travel_in_the_message_where_that_is_wanted() {
    let press = press();
    press.set("mail.pictures", "embed");
    press.signed();
    press.run(&["run"]).succeeds();
    let raw = press.read_bytes(&press.files("outbox")[0]);
    let mut reader = Command::new(python())
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut reader.stdin.take().unwrap(), &raw).unwrap();
    let read = reader.wait_with_output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&raw));
    let names = String::from_utf8(read.stdout).unwrap();
    for name in names.lines() {
        assert!(press.path(&format!("public/mail/{name}")).is_file());
    }
    for line in raw.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 998);
    }
    // The letter's page shows the same pictures from the website.
    press.run(&["build"]).succeeds();
    let page = press.read("public/letters/weekly/1/index.html");
    assert!(!page.contains("cid:"), "{page}");
    for name in names.lines() {
        assert!(page.contains(&format!("src=\"/mail/{name}\"")), "{page}");
    }
}

#[test]
fn notices_show_the_copy_of_the_logo_as_letters_do() {
    let press = press();
    press.write_bytes("content/logo.jpg", &photograph());
    press.set("publication.logo", "content/logo.jpg");
    for (way, begins) in [
        ("remote", "https://garden.example.org/mail/"),
        ("embed", "cid:"),
    ] {
        press.set("mail.pictures", way);
        let out = format!("seen-{way}");
        for kind in ["confirm", "welcome", "goodbye"] {
            press
                .run(&["render", "--kind", kind, "--out", &out])
                .succeeds();
            let mail = Mail::parse(&press.read_bytes(&format!("{out}/{kind}.eml")));
            let html = mail.html.as_deref().unwrap();
            let logo = html.split("src=\"").nth(1).unwrap();
            assert!(logo.starts_with(begins), "{way} {kind}: {logo}");
            // The file to look at shows the copy that stands beside it.
            let page = press.read(&format!("{out}/{kind}.html"));
            let shown = page.split("src=\"").nth(1).unwrap();
            let shown = shown.split('"').next().unwrap();
            assert!(press.path(&format!("{out}/{shown}")).is_file(), "{shown}");
        }
    }
}

#[test]
fn a_photograph_that_is_cut_short_is_found_before_it_is_mailed() {
    let press = press();
    let photo = photograph();
    press.write_bytes("content/a/photo.jpg", &photo[..photo.len() * 2 / 3]);
    press
        .run(&["check"])
        .exits(65)
        .prints("content/a/photo.jpg: error: is cut short: its end is missing; save it again");
    press
        .run(&["send", "weekly"])
        .exits(65)
        .says("`content/a/photo.jpg` is cut short");
    assert!(!press.path("outbox").exists());
}
