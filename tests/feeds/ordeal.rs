//! A folder of hostile articles, `tests/golden/hostile`, and the sample: built by
//! the program, judged by our own strict validator and read by programs that
//! are not ours.

use std::{
    fs,
    path::{Path, PathBuf},
};

use letterpress::feed::File;

use crate::{
    folder::{Folder, ids},
    html::Html,
    picture::png,
    readers,
    strict::complaints,
    told::{by_atom, by_json, by_rss},
};

const FRIDAY: &str = "2026-11-27T08:00:00+02:00";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The hostile folder with what no repository should hold: a huge picture, an
/// article of 200 KB, and characters that editors refuse.
fn hostile() -> Folder {
    let folder = Folder::copy(
        &root().join("tests/golden/hostile"),
        &["letterpress.toml", "content"],
    );
    folder.write("content/odd/tiny.png", png(2, 2, [128; 3]));
    folder.write("content/odd/huge.png", png(20_000, 40, [128; 3]));
    folder.write("content/odd/talk one.mp3", vec![7; 54_321]);
    folder.write("content/odd/talk one.vtt", "WEBVTT\n");
    folder.write(
        "content/odd/controls.md",
        "+++\ntitle = \"A NUL \\u0000 and an escape \\u001B[31m\"\ndate = 2026-11-13\n\
         description = \"C1 \\u0085 and\\u2028separators\"\n+++\nNUL \0, escape \x1b[31m, bell \
         \x07, \u{FFFF} and \u{85}.\r\nA line end.\rAnother.\n",
    );
    let paragraphs: Vec<String> = (0..4200)
        .map(|n| format!("Long & longer, *word* by word, for paragraph {n}."))
        .collect();
    let long = format!(
        "+++\ntitle = \"Two hundred kilobytes\"\ndate = 2026-11-14\n[hero]\nsrc = \"huge.png\"\n\
         alt = \"Huge\"\n+++\n{}\n",
        paragraphs.join("\n\n")
    );
    assert!(long.len() > 200_000);
    folder.write("content/odd/long.md", long);
    folder
}

fn sample() -> Folder {
    Folder::copy(root(), &["letterpress.toml", "content", "templates"])
}

/// Every feed of the folder: our validator, the grammar, feedparser, sfeed, and
/// the same facts in all three formats.
#[track_caller]
fn is_clean_everywhere(folder: &Folder, base: &str) {
    let files = folder.below("");
    assert_eq!(complaints(&files, base, FRIDAY), [""; 0]);
    let is_named = |name: &str| {
        let feeds = files.keys().filter(|path| path.ends_with(name));
        feeds.cloned().collect::<Vec<_>>()
    };
    let atoms = is_named("atom.xml");
    assert!(atoms.len() > 3, "{atoms:?}");
    let on_disk = |paths: &[String]| -> Vec<PathBuf> {
        let public = folder.public();
        paths.iter().map(|path| public.join(path)).collect()
    };
    readers::fit_the_grammar_of_atom(&on_disk(&atoms));
    for path in &atoms {
        let file = |name: &str| File {
            path: name.to_owned(),
            media_type: "",
            bytes: folder.bytes(&path.replace("atom.xml", name)),
        };
        let told = by_rss(&file("rss.xml"));
        assert_eq!(told, by_atom(&file("atom.xml")), "{path}");
        assert_eq!(told, by_json(&file("feed.json")), "{path}");
        assert!(!told.is_empty(), "{path}");
    }
    let both = [atoms, is_named("rss.xml")].concat();
    let read = readers::all_by_feedparser(&on_disk(&both));
    for (path, read) in both.iter().zip(read) {
        let count = ids(&folder.xml(path)).len();
        assert_eq!(read.len(), count, "{path}");
        let lines = readers::by_sfeed(&folder.public().join(path));
        assert_eq!(lines.len(), count, "{path}");
    }
}

/// Strictly parsed pages, for the same articles have to stand there, too.
#[track_caller]
fn has_sound_pages(folder: &Folder) {
    let pages = folder.below("");
    let pages = pages.iter().filter(|(path, _)| path.ends_with(".html"));
    let mut count = 0;
    for (path, bytes) in pages {
        let page = Html::read(std::str::from_utf8(bytes).unwrap());
        assert_eq!(page.errors, [""; 0], "{path}");
        count += 1;
    }
    assert!(count > 10, "{count} pages");
}

#[test]
fn a_folder_of_hostile_articles_is_clean_in_all_formats() {
    let folder = hostile();
    folder.build(FRIDAY);
    is_clean_everywhere(&folder, "https://hostile.example.org/");
    has_sound_pages(&folder);
    let rss = File {
        path: String::new(),
        media_type: "",
        bytes: folder.bytes("rss.xml"),
    };
    let told = by_rss(&rss);
    assert_eq!(told.len(), 18);
    let titled = |title: &str| {
        let found = told.iter().find(|told| told.title == title);
        found.unwrap_or_else(|| panic!("no {title}"))
    };
    for title in [
        "5&10",
        "&copy; is not ©, &amp;amp; &#x26; &lt;",
        "x<y and y>z",
        "a literal </b> here",
        "<b>Bold</b> & <script>alert(1)</script>",
        "]]> and <![CDATA[",
        "A NUL and an escape [31m",
    ] {
        titled(title);
    }
    let crowd = titled("Forty tags and five authors");
    assert_eq!((crowd.authors.len(), crowd.categories.len()), (5, 41));
    assert_eq!(titled("An empty body").html, "");
    assert!(titled("Two hundred kilobytes").html.len() > 200_000);
    assert_eq!(
        titled("On another site").link,
        "https://xn--bcher-kva.example.net/cr%C3%A8me%20br%C3%BBl%C3%A9e?q=%C3%BC%7Cx#fn%5B1%5D"
    );
    let raw = &titled("Raw HTML of every kind").html;
    for trace in [
        "alert",
        "color",
        "iframe",
        "custom-",
        "onclick",
        "circle",
        "Go</button",
    ] {
        assert!(!raw.contains(trace), "{trace} is in {raw}");
    }
    for kept in [
        "<p>A block in a line</p>",
        "<div>An item alone</div>",
        "custom",
        "AT&amp;T",
    ] {
        assert!(raw.contains(kept), "{kept} is not in {raw}");
    }
}

#[test]
fn newsboat_shows_every_hostile_article_over_http() {
    let server = readers::Server::start();
    let folder = hostile();
    let config = fs::read_to_string(root().join("tests/golden/hostile/letterpress.toml")).unwrap();
    let address = "https://Hostile.Example.org:443";
    assert!(config.contains(address));
    folder.write("letterpress.toml", config.replace(address, &server.base));
    folder.build(FRIDAY);
    server.show(&folder.public());
    for name in ["rss.xml", "atom.xml", "sections/odd/rss.xml"] {
        let reader = readers::Newsboat::new(&format!("{}{name}", server.base));
        reader.reload();
        let mut expected = ids(&folder.xml(name));
        expected.sort();
        assert_eq!(reader.unread(), expected, "{name}");
    }
}

#[test]
fn every_feed_of_the_sample_is_clean_in_all_formats() {
    let folder = sample();
    folder.build(FRIDAY);
    is_clean_everywhere(&folder, "https://magazine.example.org/");
    has_sound_pages(&folder);
}
