//! Feeds of sections, tags and authors, the list of them all, and podcasts.

use letterpress::feed::File;

use crate::{
    folder::{Folder, ids, link},
    readers,
    strict::complaints,
    tree::Node,
};

const BASE: &str = "https://bean.example.org/";
const FRIDAY: &str = "2026-11-27T08:00:00+02:00";

fn channel(folder: &Folder, name: &str) -> Node {
    folder.xml(name).one("channel").clone()
}

#[test]
fn every_stream_has_its_feeds_and_its_own_words() {
    let folder = Folder::new(BASE, "hub = \"https://hub.example.net/\"");
    folder.write(
        "content/food/_index.md",
        "+++\ntitle = \"Kos\"\ndescription = \"Oor kos\"\nlanguage = \"af\"\nentries = 1\n+++\n",
    );
    folder.article(
        "food/a",
        "2026-11-01",
        "tags = [\"R&B\"]\nauthors = [\"Zoë Adams\"]",
    );
    folder.article(
        "food/b",
        "2026-11-02",
        "tags = [\"r&b\"]\nauthors = [\"Zoe Adams\"]",
    );
    folder.article(
        "home/c",
        "2026-11-03",
        "authors = [{ name = \"王\", url = \"https://example.net/wang\" }, \"Zoë Adams\"]",
    );
    folder.build(FRIDAY);
    let food = channel(&folder, "sections/food/rss.xml");
    assert_eq!(food.text_of("title"), "The Bean: Kos");
    assert_eq!(food.text_of("description"), "Oor kos");
    assert_eq!(food.text_of("language"), "af");
    assert_eq!(food.text_of("link"), "https://bean.example.org/food/");
    let tag = channel(&folder, "tags/r-b/rss.xml");
    assert_eq!(
        tag.text_of("title"),
        "The Bean: R&B",
        "the first label stays"
    );
    assert_eq!(tag.text_of("link"), "https://bean.example.org/tags/r-b/");
    let of = |name: &str| ids(&folder.xml(name)).len();
    assert_eq!(of("tags/r-b/atom.xml"), 2);
    // The older article's author has the plain slug.
    assert_eq!(of("authors/zoe-adams/atom.xml"), 2);
    assert_eq!(of("authors/zoe-adams-2/atom.xml"), 1);
    let wang = folder.below("authors");
    let wang = wang
        .keys()
        .find(|name| name.starts_with("authors/author-"))
        .unwrap();
    let feed = folder.xml(&wang.replace("feed.json", "atom.xml"));
    assert_eq!(feed.text_of("title"), "The Bean: 王");
    assert_eq!(
        feed.one("author").text_of("uri"),
        "https://example.net/wang"
    );
    for (name, bytes) in folder.below("") {
        if name.ends_with("atom.xml") {
            let feed = Node::root(&bytes);
            assert_eq!(link(&feed, "self"), Some(format!("{BASE}{name}")));
            assert_eq!(
                link(&feed, "hub").as_deref(),
                Some("https://hub.example.net/")
            );
            let path = "atom.xml".to_owned();
            let media_type = "application/atom+xml";
            readers::fits_the_grammar_of_atom(&File {
                path,
                media_type,
                bytes,
            });
        }
    }
}

#[test]
fn the_list_of_feeds_names_every_stream_once() {
    let folder = Folder::new(BASE, "");
    folder.article(
        "food/a",
        "2026-11-01",
        "tags = [\"x<y\"]\nauthors = [\"O'Neill & \\\"Sons\\\"\"]",
    );
    folder.article("home/b", "2026-11-02", "tags = [\"two\"]");
    folder.build(FRIDAY);
    let list = folder.xml("feeds.opml");
    assert_eq!(
        (list.name.as_str(), list.attribute("version")),
        ("opml", "2.0")
    );
    let outlines: Vec<&Node> = list.one("body").all("outline").collect();
    let mut listed: Vec<String> = Vec::new();
    for outline in &outlines {
        assert_eq!(outline.attribute("type"), "rss");
        assert_eq!(outline.attribute("text"), outline.attribute("title"));
        let file = outline.attribute("xmlUrl").strip_prefix(BASE).unwrap();
        let feed = folder.xml(file);
        assert_eq!(feed.text_of("title"), outline.attribute("text"));
        assert_eq!(
            link(&feed, "alternate").unwrap(),
            outline.attribute("htmlUrl")
        );
        listed.push(file.to_owned());
    }
    let files = folder.below("");
    let mut all: Vec<_> = files
        .keys()
        .filter(|n| n.ends_with("atom.xml"))
        .cloned()
        .collect();
    listed.sort();
    all.sort();
    assert_eq!(listed, all);
    assert_eq!(all.len(), 1 + 2 + 2 + 2);
}

/// The head of a PNG of 1400 by 1400 pixels.
const COVER: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x05\x78\0\0\x05\x78\x08\x02\0\0\0";
const GUID: &str = "917393e3-1b1e-5cef-ace4-edaa54e1f810";

fn podcast(index: &str) -> Folder {
    let folder = Folder::new(BASE, "");
    folder.write("content/talks/_index.md", index);
    folder.write("content/talks/cover.png", COVER);
    folder.write("content/talks/one.mp3", vec![7; 54_321]);
    folder.write("content/talks/one.vtt", "WEBVTT\n");
    folder.write(
        "content/talks/one.json",
        "{\"version\": \"1.2.0\", \"chapters\": []}",
    );
    let enclosure = "[enclosure]\nsrc = \"one.mp3\"\nduration = \"1:02:03\"\ntranscript = \"one.vtt\"\n\
                     chapters = \"one.json\"\nepisode = 4\nseason = 2\nexplicit = true";
    folder.article("talks/one", "2026-11-01", enclosure);
    let remote = "enclosure = { url = \"https://media.example.net/two.mp4\", length = 99 }";
    folder.article("talks/two", "2026-11-02", remote);
    folder.article("talks/words", "2026-11-03", "");
    folder
}

#[test]
fn a_podcast_has_everything_that_directories_ask_for() {
    let folder = podcast(&format!(
        "+++\ntitle = \"Bean Talk\"\npodcast = true\ncategory = \"Arts / Food\"\nexplicit = false\n\
         image = \"cover.png\"\nguid = \"{GUID}\"\nowner = {{ name = \"Thandi & Co\", email = \
         \"talk@example.org\" }}\n+++\n"
    ));
    folder.build(FRIDAY);
    assert_eq!(complaints(&folder.below(""), BASE, FRIDAY), [""; 0]);
    let channel = channel(&folder, "sections/talks/podcast.xml");
    let own = channel.one("atom:link").attribute("href");
    assert_eq!(own, "https://bean.example.org/sections/talks/podcast.xml");
    assert_eq!(channel.text_of("itunes:author"), "The Editors");
    assert_eq!(channel.text_of("itunes:explicit"), "false");
    assert_eq!(channel.text_of("itunes:type"), "episodic");
    let category = channel.one("itunes:category");
    assert_eq!(category.attribute("text"), "Arts");
    assert_eq!(category.one("itunes:category").attribute("text"), "Food");
    let owner = channel.one("itunes:owner");
    assert_eq!(owner.text_of("itunes:name"), "Thandi & Co");
    assert_eq!(owner.text_of("itunes:email"), "talk@example.org");
    let cover = "https://bean.example.org/talks/cover.png";
    assert_eq!(channel.one("itunes:image").attribute("href"), cover);
    assert_eq!(folder.bytes("talks/cover.png"), COVER);
    assert_eq!(channel.text_of("podcast:guid"), GUID);
    assert_eq!(channel.text_of("podcast:locked"), "yes");
    assert_eq!(
        channel.one("podcast:locked").attribute("owner"),
        "talk@example.org"
    );

    let episodes: Vec<&Node> = channel.all("item").collect();
    let [two, one] = episodes[..] else {
        panic!("two episodes, not {}", episodes.len())
    };
    for (name, value) in [
        ("itunes:duration", "3723"),
        ("itunes:episode", "4"),
        ("itunes:season", "2"),
        ("itunes:explicit", "true"),
        ("itunes:episodeType", "full"),
        ("podcast:person", "The Editors"),
    ] {
        assert_eq!(one.text_of(name), value, "{name}");
    }
    assert_eq!(two.text_of("itunes:explicit"), "false");
    let enclosure = one.one("enclosure");
    assert_eq!(enclosure.attribute("length"), "54321");
    assert_eq!(enclosure.attribute("type"), "audio/mpeg");
    assert_eq!(two.one("enclosure").attribute("length"), "99");
    for (name, file, kind) in [
        ("podcast:transcript", "one.vtt", "text/vtt"),
        ("podcast:chapters", "one.json", "application/json+chapters"),
    ] {
        let url = format!("https://bean.example.org/talks/{file}");
        assert_eq!(one.one(name).attribute("url"), url);
        assert_eq!(one.one(name).attribute("type"), kind);
        folder.bytes(&format!("talks/{file}"));
    }
    let plain = folder.bytes("sections/talks/rss.xml");
    assert!(
        !String::from_utf8(plain).unwrap().contains("itunes"),
        "only the podcast is one"
    );
    let read = readers::by_feedparser(&folder.public().join("sections/talks/podcast.xml"));
    assert_eq!(read.len(), 2);
    let list = folder.xml("feeds.opml");
    let mut outlines = list.one("body").all("outline");
    assert!(outlines.any(|o| {
        o.attribute("xmlUrl")
            .ends_with("sections/talks/podcast.xml")
    }));
}

#[test]
fn what_a_podcast_lacks_is_named_with_its_line() {
    let folder =
        podcast("+++\ntitle = \"Talk\"\npodcast = true\ncategory = \"Arts / Foods\"\n+++\n");
    let output = folder.run(FRIDAY, &["check"]);
    assert_eq!(output.status.code(), Some(65));
    let told = String::from_utf8(output.stdout).unwrap();
    let index = "content/talks/_index.md";
    for line in [
        format!("{index}:3: error: the podcast has no owner with name and email; "),
        format!("{index}:4: error: `Arts / Foods` is no podcast category; did you mean `Food`?"),
        format!("{index}:3: error: the podcast does not say whether it is explicit; "),
        format!("{index}:3: error: the podcast has no cover; "),
        format!("{index}:3: error: the podcast has no guid; add `guid = \""),
    ] {
        assert!(told.contains(&line), "{line}\n{told}");
    }
}
