//! The validator sees what it must: each rule broken once in a sound feed.

use super::{complaints, complaints_of};
use crate::{folder::Folder, picture::png};

const BASE: &str = "https://bean.example.org/";
const FRIDAY: &str = "2026-11-27T08:00:00+02:00";

/// A publication with one of everything.
fn sound() -> Folder {
    let folder = Folder::new(BASE, "hub = \"http://127.0.0.1:9/\"");
    folder.write("content/one.mp3", vec![7; 54_321]);
    folder.write("content/dot.png", png(4, 4, [9; 3]));
    let more = "updated = 2026-11-26T09:00:00\ntags = [\"R&B\"]\nhero = { src = \"dot.png\", alt = \
                \"A dot\" }\nenclosure = \"one.mp3\"\n";
    folder.article("one", "2026-11-20", more);
    folder.article("two", "2026-11-21", "");
    folder.article("gone", "2026-11-22", "");
    folder.build(FRIDAY);
    folder.remove("content/gone.md");
    folder.build(FRIDAY);
    folder
}

#[test]
fn the_validator_has_no_complaint_about_a_sound_feed_and_sees_every_broken_rule() {
    let folder = sound();
    assert_eq!(complaints(&folder.below(""), BASE, FRIDAY), [""; 0]);
    for (file, from, to, said) in BROKEN {
        let text = String::from_utf8(folder.bytes(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        let broken = text.replacen(from, to, 1);
        let found = complaints_of(file, broken.as_bytes(), BASE, FRIDAY);
        let is_seen = found.iter().any(|complaint| complaint.contains(said));
        assert!(is_seen, "{file}, {from} as {to}: {found:#?}");
    }
}

/// A file, what stands in it, what it is made, and the complaint.
const BROKEN: [(&str, &str, &str, &str); 47] = [
    (
        "rss.xml",
        "encoding=\"utf-8\"",
        "encoding=\"us-ascii\"",
        "XML declaration",
    ),
    (
        "rss.xml",
        "xmlns:media=\"http://search.yahoo.com/mrss/\"",
        "xmlns:media=\"http://search.yahoo.com/mrss\"",
        "unknown namespace",
    ),
    (
        "rss.xml",
        "xmlns:media=\"http://search.yahoo.com/mrss/\"",
        "",
        "nobody declares media:",
    ),
    ("rss.xml", "<item>", "<ttl>60</ttl><item>", "holds ttl"),
    (
        "rss.xml",
        "</channel>",
        "<generator>x</generator></channel>",
        "behind the first item",
    ),
    (
        "rss.xml",
        "<item>",
        "<item><author>Name</author>",
        "holds author",
    ),
    (
        "rss.xml",
        "/rss.xml\" rel=\"self\"",
        "/RSS.xml\" rel=\"self\"",
        "self is",
    ),
    (
        "rss.xml",
        "isPermaLink=\"false\"",
        "isPermaLink=\"False\"",
        "isPermaLink",
    ),
    ("rss.xml", " isPermaLink=\"false\"", "", "isPermaLink"),
    (
        "rss.xml",
        "tag:example.org",
        "tag:Example.org",
        "odd authority",
    ),
    (
        "rss.xml",
        "<pubDate>Sat, 21",
        "<pubDate>Sun, 21",
        "no date of RFC 822",
    ),
    ("rss.xml", "21 Nov 2026", "21 Nov 26", "no date of RFC 822"),
    (
        "rss.xml",
        "<pubDate>Sat, 21 Nov 2026",
        "<pubDate>Tue, 01 Dec 2026",
        "in the future",
    ),
    (
        "rss.xml",
        "<pubDate>Thu, 26",
        "<pubDate>Fri, 27",
        "not that of the newest",
    ),
    ("rss.xml", "R&#x26;B", "R&amp;B", "named reference"),
    (
        "rss.xml",
        "length=\"54321\"",
        "length=\"0\"",
        "is no number",
    ),
    (
        "rss.xml",
        "type=\"audio/mpeg\"",
        "type=\"mp3\"",
        "no media type",
    ),
    ("rss.xml", "one.mp3\"", "o ne.mp3\"", "no proper address"),
    (
        "rss.xml",
        "https://bean.example.org/one/",
        "https://BEAN.example.org/one/",
        "no proper address",
    ),
    (
        "rss.xml",
        "https://bean.example.org/one/",
        "https://bean.example.org:443/one/",
        "no proper address",
    ),
    (
        "rss.xml",
        "https://bean.example.org/one/",
        "/one/",
        "no proper address",
    ),
    (
        "rss.xml",
        "https://bean.example.org/one/",
        "https://bean.example.org/é/",
        "no proper address",
    ),
    (
        "rss.xml",
        "<enclosure ",
        "<enclosure url=\"https://a.example/\" type=\"a/b\" length=\"1\"/><enclosure ",
        "more than one enclosure",
    ),
    (
        "rss.xml",
        "<sy:updatePeriod>hourly</sy:updatePeriod>",
        "",
        "how often",
    ),
    (
        "rss.xml",
        "<sy:updatePeriod>",
        "<fh:archive/><sy:updatePeriod>",
        "fh:archive",
    ),
    (
        "rss.xml",
        "medium=\"image\"",
        "medium=\"picture\"",
        "medium is",
    ),
    (
        "rss.xml",
        "<media:description>",
        "<media:keywords>x</media:keywords><media:description>",
        "holds media:keywords",
    ),
    (
        "rss.xml",
        "<p>The text",
        "<p style=\"x\">The text",
        "content has style",
    ),
    (
        "rss.xml",
        "<p>The text",
        "<p><ul></ul>The text",
        "does not parse",
    ),
    (
        "rss.xml",
        "<p>The text",
        "<p/>AT&T <iframe></iframe>The text",
        "<iframe>",
    ),
    (
        "rss.xml",
        "<p>The text",
        "<p><a href=\"#fn1\">The text</a>",
        "href in content",
    ),
    (
        "rss.xml",
        "<p>The text",
        "<p><img src=\"https://a.example/b\">The text",
        "without alt",
    ),
    (
        "atom.xml",
        "<title>About",
        "<title type=\"html\">About",
        "not plain text",
    ),
    (
        "atom.xml",
        "26T09:00:00+02:00</updated>",
        "26t09:00:00+02:00</updated>",
        "no RFC 3339 date",
    ),
    (
        "atom.xml",
        "26T09:00:00+02:00</updated>",
        "26T09:00+02:00</updated>",
        "no RFC 3339 date",
    ),
    (
        "atom.xml",
        "<link href=\"https://bean.example.org/\"",
        "<link href=\"https://bean.example.org/x\" rel=\"alternate\" type=\"text/html\"/><link href=\"https://bean.example.org/\"",
        "2 alternates",
    ),
    (
        "atom.xml",
        "</feed>",
        "<subtitle>x</subtitle></feed>",
        "behind the first entry",
    ),
    (
        "atom.xml",
        "at:deleted-entry ref=\"tag:example.org,2026:2026-11-22/gone\"",
        "at:deleted-entry ref=\"tag:example.org,2026:2026-11-20/one\"",
        "both gone and there",
    ),
    ("atom.xml", "/2005/Atom", "/2005/atom", "no Atom feed"),
    (
        "feed.json",
        "\"feed_url\": \"https://bean.example.org/feed.json\"",
        "\"feed_url\": \"https://bean.example.org/\"",
        "feed_url is another",
    ),
    (
        "feed.json",
        "\"authors\"",
        "\"author\"",
        "an unknown key author",
    ),
    (
        "feed.json",
        "\"size_in_bytes\": 54321",
        "\"size_in_bytes\": \"54321\"",
        "size_in_bytes",
    ),
    (
        "feed.json",
        "2026-11-26T09:00:00+02:00",
        "2026-11-19T09:00:00+02:00",
        "before it was published",
    ),
    (
        "feeds.opml",
        "version=\"2.0\"",
        "version=\"1.0\"",
        "no OPML 2.0",
    ),
    (
        "feeds.opml",
        "type=\"rss\"",
        "type=\"atom\"",
        "of type atom",
    ),
    (
        "feeds.opml",
        "xmlUrl=\"https://bean.example.org/",
        "xmlUrl=\"/",
        "xmlUrl is no proper",
    ),
    ("feeds.opml", " title=", " name=", "without title"),
];
