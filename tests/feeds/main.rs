//! The feeds of a publication that is out to break them: what all three formats
//! must say, and what parsers and readers that are not ours make of it.
//!
//! `LETTERPRESS_ACCEPT=1 cargo test --test feeds` rewrites the golden files;
//! look at the difference before committing it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod folder;
mod history;
mod hostile;
#[path = "../suite/html.rs"]
#[allow(dead_code, reason = "the tests of the website use more of it")]
mod html;
mod ordeal;
#[path = "../harness/picture.rs"]
mod picture;
mod readers;
mod streams;
mod strict;
mod told;
mod tree;

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use letterpress::domain::{collection::Collection, publication::FeedContent, text::one_line};
use letterpress::feed::{File, Stream, streams};
use serde_json::Value;

use hostile::{TITLES, world};
use told::{Told, by_atom, by_json, by_rss};
use tree::Node;

const BASE: &str = "https://magazine.example.org/";

fn whole() -> [File; 3] {
    world(BASE, FeedContent::Full).files(&Stream::Whole)
}

fn food() -> Stream {
    Stream::Section("food".parse().unwrap())
}

#[test]
fn all_formats_tell_the_same_facts() {
    let [rss, atom, json] = whole();
    let told = by_rss(&rss);
    assert_eq!(told, by_atom(&atom));
    assert_eq!(told, by_json(&json));
    assert_eq!(told.len(), 16);
    assert_eq!(told[0].authors.len(), 5);
    assert_eq!(told[0].categories.len(), 41);
}

#[test]
fn what_an_article_says_arrives_as_it_was_written() {
    let world = world(BASE, FeedContent::Full);
    let told = by_rss(&world.files(&Stream::Whole)[0]);
    for (told, title) in told.iter().zip(TITLES) {
        assert_eq!(told.title, one_line(title));
        assert!(!told.title.contains(['\0', '\u{1B}', '\n']));
    }
    for (told, article) in told.iter().zip(world.collection.articles()) {
        let second = |at: &DateTime<_>| DateTime::<Utc>::from_timestamp(at.timestamp(), 0).unwrap();
        assert_eq!(told.id, article.id.as_str());
        assert_eq!(told.published, second(&article.published));
        assert_eq!(told.updated, second(&article.updated));
    }
    assert_eq!(
        told[1].link,
        "https://xn--bcher-kva.example.net/cr%C3%A8me%20br%C3%BBl%C3%A9e?q=%C3%BC%7Cx#fn%5B1%5D"
    );
    assert_eq!(told[12].html, "<p>]]&gt; and <code>]]&gt;</code> ]]></p>");
    assert_eq!(told[13].html, "");
    assert!(told[15].html.len() > 200_000);
}

#[test]
fn no_byte_is_one_that_xml_forbids() {
    for file in whole() {
        let text = String::from_utf8(file.bytes).unwrap();
        assert!(
            text.ends_with(">\n") || text.ends_with("}\n"),
            "{}",
            file.path
        );
        let bad = text.chars().find(|&c| {
            (c.is_control() && c != '\n') || matches!(c, '\u{FFFD}' | '\u{FFFE}' | '\u{FFFF}')
        });
        assert_eq!(bad, None, "{}", file.path);
    }
}

#[test]
fn equal_input_gives_equal_bytes() {
    assert_eq!(whole(), whole());
}

#[test]
fn a_summary_feed_holds_no_article_text() {
    let files = world(BASE, FeedContent::Summary).files(&Stream::Whole);
    for file in &files {
        let text = std::str::from_utf8(&file.bytes).unwrap();
        for trace in [
            "Text of number",
            "long &amp;",
            "content:encoded",
            "<content",
            "content_html",
        ] {
            assert!(!text.contains(trace), "{trace} in {}", file.path);
        }
        assert!(text.contains("An odd body."), "{}", file.path);
    }
    let json: Value = serde_json::from_slice(&files[2].bytes).unwrap();
    assert_eq!(json["items"][13]["content_text"], "");
    assert_eq!(by_rss(&files[0]), by_json(&files[2]));
}

#[test]
fn a_section_has_its_own_feeds_with_its_own_limit() {
    let world = world(BASE, FeedContent::Full);
    assert_eq!(streams(&world.collection)[..2], [Stream::Whole, food()]);
    let [rss, atom, json] = world.files(&food());
    assert_eq!(
        [&rss.path, &atom.path, &json.path],
        [
            "sections/food/rss.xml",
            "sections/food/atom.xml",
            "sections/food/feed.json"
        ]
    );
    assert_eq!(by_rss(&rss).len(), 2);
    let channel = Node::root(&rss.bytes);
    let channel = channel.one("channel");
    assert_eq!(
        channel.text_of("link"),
        "https://magazine.example.org/food/"
    );
    assert!(channel.text_of("title").ends_with(": Food & <Drink>"));
    assert_eq!(
        channel.text_of("description"),
        "Eat & drink <well>; 5&10 &copy;"
    );
    assert_eq!(
        Node::root(&atom.bytes).text_of("id"),
        "tag:magazine.example.org,2026:feeds/sections/food"
    );
}

#[test]
fn every_feed_names_its_own_address_and_its_page() {
    let [rss, atom, json] = whole();
    let channel = Node::root(&rss.bytes);
    let own = channel.one("channel").all("atom:link").next().unwrap();
    assert_eq!(own.attribute("rel"), "self");
    assert_eq!(
        own.attribute("href"),
        "https://magazine.example.org/rss.xml"
    );
    let feed = Node::root(&atom.bytes);
    let links: Vec<_> = feed
        .all("link")
        .map(|link| (link.attribute("rel"), link.attribute("href")))
        .collect();
    assert_eq!(
        links,
        [
            ("self", "https://magazine.example.org/atom.xml"),
            ("alternate", "https://magazine.example.org/"),
            ("hub", "https://hub.example.net/?a=1&b=2"),
        ]
    );
    let json: Value = serde_json::from_slice(&json.bytes).unwrap();
    assert_eq!(json["feed_url"], "https://magazine.example.org/feed.json");
    assert_eq!(json["home_page_url"], "https://magazine.example.org/");
    assert_eq!(json["hubs"][0]["url"], "https://hub.example.net/?a=1&b=2");
}

#[test]
fn a_guid_is_a_permalink_only_where_it_is_the_articles_address() {
    let [rss, ..] = whole();
    let root = Node::root(&rss.bytes);
    for item in root.one("channel").all("item") {
        let guid = item.one("guid");
        let is_permalink = !guid.attributes.contains_key("isPermaLink");
        assert_eq!(is_permalink, guid.text == item.text_of("link"), "{guid:?}");
        if !is_permalink {
            assert_eq!(guid.attribute("isPermaLink"), "false");
        }
    }
}

/// What the W3C validator says about order, and about `author` beside `dc:creator`.
#[test]
fn rss_says_things_in_the_order_that_validators_want() {
    let [rss, ..] = whole();
    let root = Node::root(&rss.bytes);
    let channel = root.one("channel");
    let first_item = channel
        .children
        .iter()
        .position(|c| c.name == "item")
        .unwrap();
    assert!(
        channel.children[first_item..]
            .iter()
            .all(|c| c.name == "item")
    );
    let image = channel.one("image");
    assert_eq!(image.text_of("title"), channel.text_of("title"));
    assert_eq!(image.text_of("link"), channel.text_of("link"));
    for item in channel.all("item") {
        let at = |name: &str| item.children.iter().position(|c| c.name == name);
        if let Some(content) = at("content:encoded") {
            assert!(at("description").unwrap() < content);
        }
        assert_eq!(at("author"), None);
    }
}

#[test]
fn plain_text_uses_the_references_that_no_reader_takes_for_html() {
    for file in &whole()[..2] {
        let text = std::str::from_utf8(&file.bytes).unwrap();
        assert!(text.contains("<title>5&#x26;10</title>"), "{}", file.path);
        assert!(
            text.contains("<title>x&#x3C;y and y&gt;z</title>"),
            "{}",
            file.path
        );
    }
}

#[test]
fn a_picture_carries_its_measures_and_words() {
    let [rss, atom, json] = whole();
    let rss = Node::root(&rss.bytes);
    let atom = Node::root(&atom.bytes);
    let json: Value = serde_json::from_slice(&json.bytes).unwrap();
    for entry in [
        rss.one("channel").all("item").nth(2).unwrap(),
        atom.all("entry").nth(2).unwrap(),
    ] {
        let media = entry.one("media:content");
        for (name, value) in [
            (
                "url",
                "https://magazine.example.org/soup%20&%20bread%20%5B1%5D.jpg",
            ),
            ("fileSize", "123456"),
            ("type", "image/jpeg"),
            ("medium", "image"),
            ("width", "1600"),
            ("height", "900"),
        ] {
            assert_eq!(media.attribute(name), value);
        }
        assert_eq!(
            media.text_of("media:description"),
            "A bowl of x<y & \"steam\""
        );
        assert_eq!(media.text_of("media:title"), "Soup, &copy; by hand </b>");
        assert_eq!(media.text_of("media:credit"), "Zoë & Sons");
    }
    let picture = &json["items"][2]["_letterpress"]["picture"];
    assert_eq!(picture["caption"], "Soup, &copy; by hand </b>");
    assert_eq!(picture["width"], 1600);
    assert_eq!(
        json["items"][3]["_letterpress"]["picture"]["width"],
        Value::Null
    );
}

#[test]
fn a_publication_without_articles_still_has_feeds() {
    let mut world = world(BASE, FeedContent::Full);
    world.collection = Collection::default();
    assert_eq!(streams(&world.collection), [Stream::Whole]);
    let files = world.files(&Stream::Whole);
    assert_eq!(by_rss(&files[0]), []);
    assert_eq!(by_atom(&files[1]), []);
    assert_eq!(by_json(&files[2]), []);
    readers::fits_the_grammar_of_atom(&files[1]);
}

#[test]
fn the_golden_files_are_what_we_write() {
    let mut world = world(BASE, FeedContent::Full);
    // All but the oldest article, which is 200 KB long.
    world.rules.entries = 15;
    for file in world.files(&Stream::Whole) {
        let written = String::from_utf8(file.bytes).unwrap();
        is_golden(&format!("feeds/{}", file.path), &written);
    }
}

/// Compares with a file below `tests/golden`, or takes `written` over.
#[track_caller]
fn is_golden(name: &str, written: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("LETTERPRESS_ACCEPT").is_some() {
        fs::create_dir_all(golden.parent().unwrap()).unwrap();
        fs::write(&golden, written).unwrap();
    }
    let expected =
        fs::read_to_string(&golden).unwrap_or_else(|error| panic!("{}: {error}", golden.display()));
    assert_eq!(written, expected, "{} differs", golden.display());
}

#[test]
fn json_feed_has_only_keys_of_version_1_1_and_marked_extensions() {
    let [.., json] = whole();
    let document: Value = serde_json::from_slice(&json.bytes).unwrap();
    assert_eq!(document["version"], "https://jsonfeed.org/version/1.1");
    let known_in_feed = "version title home_page_url feed_url description user_comment next_url icon \
                         favicon authors language expired hubs items";
    let known_in_item = "id url external_url title content_html content_text summary image \
                         banner_image date_published date_modified authors tags language attachments";
    let unknown = |object: &Value, known: &str| -> Vec<String> {
        let keys = object.as_object().unwrap().keys();
        keys.filter(|key| !key.starts_with('_') && !known.split(' ').any(|k| k == key.as_str()))
            .cloned()
            .collect()
    };
    assert_eq!(unknown(&document, known_in_feed), [""; 0]);
    for item in document["items"].as_array().unwrap() {
        assert_eq!(unknown(item, known_in_item), [""; 0]);
        assert!(item["content_html"].is_string() || item["content_text"].is_string());
    }
    assert_eq!(
        document["items"][1]["external_url"],
        document["items"][1]["url"]
    );
    assert_eq!(
        document["items"][4]["attachments"][0]["duration_in_seconds"],
        1_834
    );
}

/// Facts as readers give them, for comparison with what they were given.
fn expected() -> Vec<Told> {
    by_json(&whole()[2])
}
