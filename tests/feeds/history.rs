//! What readers see over time: archives, edits, withdrawals, and what a reader
//! that looks in a day later has to read.

use std::{
    collections::{BTreeMap, HashSet},
    process::Command,
};

use letterpress::feed::File;

use crate::{
    folder::{Folder, ids, link},
    is_golden, readers,
    strict::complaints,
};

const BASE: &str = "https://bean.example.org/";
const FRIDAY: &str = "2026-11-27T08:00:00+02:00";
const SATURDAY: &str = "2026-11-28T08:00:00+02:00";
const SUNDAY: &str = "2026-11-29T08:00:00+02:00";

fn id(day: &str, slug: &str) -> String {
    format!("tag:example.org,2026:{day}/{slug}")
}

/// A publication of 1,000 articles in three sections, one every other day.
fn thousand(feeds: &str) -> Folder {
    let folder = Folder::new(BASE, feeds);
    let first = chrono::NaiveDate::from_ymd_opt(2021, 1, 1).unwrap();
    for n in 0..1000_u64 {
        let day = first + chrono::Days::new(2 * n);
        let section = ["food", "home", "travel"][usize::try_from(n % 3).unwrap()];
        folder.article(&format!("{section}/a{n}"), &day.to_string(), "");
    }
    folder
}

/// Follows `prev-archive` from the subscription document to the end, and checks
/// what each document says of its place.
#[track_caller]
fn walk(folder: &Folder, start: &str) -> Vec<(String, Vec<String>)> {
    let own = |name: &str| format!("{BASE}{name}");
    let mut name = start.to_owned();
    let mut documents: Vec<(String, Vec<String>)> = Vec::new();
    loop {
        let feed = folder.xml(&name);
        assert_eq!(link(&feed, "self"), Some(own(&name)));
        let is_archive = name != start;
        let extensions = match feed.name.as_str() {
            "feed" => &feed,
            _ => feed.one("channel"),
        };
        assert_eq!(
            extensions.all("fh:archive").count(),
            usize::from(is_archive)
        );
        assert_eq!(link(&feed, "current"), is_archive.then(|| own(start)));
        if let Some(next) = link(&feed, "next-archive") {
            let (newer, _) = documents.last().unwrap();
            assert_eq!(next, own(newer.as_str()));
        }
        documents.push((name.clone(), ids(&feed)));
        match link(&feed, "prev-archive") {
            Some(older) => name = older.strip_prefix(BASE).unwrap().to_owned(),
            None => return documents,
        }
    }
}

#[track_caller]
fn each_once(documents: &[(String, Vec<String>)], expected: usize) {
    let all: Vec<&String> = documents.iter().flat_map(|(_, ids)| ids).collect();
    let distinct: HashSet<&String> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (expected, expected));
}

fn archives(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let mut files = folder.below("");
    files.retain(|name, _| name.contains("archive/"));
    files
}

#[test]
fn a_walk_through_the_archive_meets_each_of_a_thousand_articles_once() {
    let folder = thousand("entries = 20");
    folder.build(FRIDAY);
    for start in ["atom.xml", "rss.xml"] {
        let documents = walk(&folder, start);
        assert_eq!(documents.len(), 10, "{start}");
        assert_eq!(documents[0].1.len(), 100);
        assert!(documents[1..].iter().all(|(_, ids)| ids.len() == 100));
        each_once(&documents, 1000);
    }
    for section in ["food", "home", "travel"] {
        let documents = walk(&folder, &format!("sections/{section}/atom.xml"));
        each_once(&documents, if section == "food" { 334 } else { 333 });
    }
    assert_eq!(complaints(&folder.below(""), BASE, FRIDAY), [""; 0]);
    let newest = folder.bytes("archive/atom-0009.xml");
    readers::fits_the_grammar_of_atom(&File {
        path: "atom.xml".to_owned(),
        media_type: "application/atom+xml",
        bytes: newest,
    });

    // 1. Another day: one edited that is archived, one new.
    let before = archives(&folder);
    let edited = folder.public().parent().unwrap().join("content/food/a3.md");
    let text = std::fs::read_to_string(&edited).unwrap();
    let text = text.replace(
        "\n+++\nThe",
        "updated = 2026-11-27T19:00:00\n+++\nBetter: the",
    );
    std::fs::write(&edited, text).unwrap();
    folder.article("food/new", "2026-11-28T07:00:00", "");
    let changed = folder.build(SATURDAY);
    assert_eq!(
        archives(&folder),
        before,
        "complete documents stay as they are"
    );
    assert!(
        !changed.iter().any(|name| name.contains("archive/")),
        "{changed:?}"
    );
    let documents = walk(&folder, "atom.xml");
    let shown = &documents[0].1;
    assert!(
        shown.contains(&id("2021-01-07", "a3")),
        "edited, so shown again"
    );
    let all: HashSet<&String> = documents.iter().flat_map(|(_, ids)| ids).collect();
    assert_eq!(all.len(), 1001);

    // 2. Twenty more: a new document, and the older ones stay.
    for n in 0..20 {
        folder.article(&format!("home/more{n}"), "2026-11-29T07:00:00", "");
    }
    let changed = folder.build(SUNDAY);
    let after = archives(&folder);
    assert!(after.contains_key("archive/rss-0010.xml"), "{changed:?}");
    assert!(before.iter().all(|(name, bytes)| after[name] == *bytes));
    let documents = walk(&folder, "rss.xml");
    let all: HashSet<&String> = documents.iter().flat_map(|(_, ids)| ids).collect();
    assert_eq!(all.len(), 1021);

    // 3. What is withdrawn is gone from its document, and nothing else changes.
    folder.remove("content/home/a1.md");
    let changed = folder.build(SUNDAY);
    let gone = id("2021-01-03", "a1");
    let of_archive: Vec<&String> = changed.iter().filter(|n| n.contains("archive/")).collect();
    assert_eq!(
        of_archive,
        [
            "archive/atom-0001.xml",
            "archive/rss-0001.xml",
            "sections/home/archive/atom-0001.xml",
            "sections/home/archive/rss-0001.xml",
        ]
    );
    for name in [
        "atom.xml",
        "archive/atom-0001.xml",
        "sections/home/atom.xml",
    ] {
        let feed = folder.xml(name);
        assert_eq!(
            feed.one("at:deleted-entry").attribute("ref"),
            gone,
            "{name}"
        );
        assert!(!ids(&feed).contains(&gone), "{name}");
    }
    assert!(!ids(&folder.xml("archive/rss-0001.xml")).contains(&gone));

    // 4. A lost output folder is made again, with every article once.
    std::fs::remove_dir_all(folder.public()).unwrap();
    folder.build(SUNDAY);
    let documents = walk(&folder, "rss.xml");
    let all: HashSet<&String> = documents.iter().flat_map(|(_, ids)| ids).collect();
    assert_eq!(all.len(), 1020);
}

#[test]
fn a_document_that_lost_a_file_is_made_again_though_an_article_of_it_was_edited() {
    let folder = Folder::new(BASE, "entries = 2\narchive_size = 3");
    for n in 1..=6 {
        folder.article(&format!("a{n}"), &format!("2026-11-0{n}"), "");
    }
    folder.build(FRIDAY);
    folder.article("a1", "2026-11-01", "description = \"Now better.\"");
    folder.build(SATURDAY);
    let before = folder.bytes("archive/rss-0001.xml");
    let text = String::from_utf8(before.clone()).unwrap();
    assert!(
        !text.contains("Now better."),
        "complete documents stay as they are"
    );

    folder.remove("public/archive/atom-0001.xml");
    assert_eq!(
        folder.build(SUNDAY),
        ["archive/atom-0001.xml", "archive/rss-0001.xml"]
    );
    for name in ["archive/atom-0001.xml", "archive/rss-0001.xml"] {
        let text = String::from_utf8(folder.bytes(name)).unwrap();
        assert!(text.contains("Now better."), "{name}: {text}");
    }
    assert_eq!(folder.build(SUNDAY), [""; 0]);
}

#[test]
fn without_archives_a_feed_holds_the_newest_entries_only() {
    let folder = Folder::new(BASE, "entries = 3\narchive = false");
    for n in 1..=9 {
        folder.article(&format!("a{n}"), &format!("2026-11-0{n}"), "");
    }
    folder.build(FRIDAY);
    for name in ["atom.xml", "rss.xml"] {
        let feed = folder.xml(name);
        assert_eq!(ids(&feed).len(), 3);
        assert_eq!(link(&feed, "prev-archive"), None);
    }
}

/// One edited, one new, one withdrawn, one removed, and one that stays.
fn a_day_later(folder: &Folder) {
    folder.article(
        "edited",
        "2026-11-20",
        "updated = 2026-11-27T17:00:00\ndescription = \"Now better.\"",
    );
    folder.article("withdrawn", "2026-11-21", "withdrawn = \"2026-11-28\"");
    folder.remove("content/removed.md");
    folder.article("new", "2026-11-28", "");
}

fn small(base: &str) -> Folder {
    let folder = Folder::new(base, "entries = 20");
    folder.article("edited", "2026-11-20", "");
    folder.article("withdrawn", "2026-11-21", "tags = [\"beans\"]");
    folder.article("removed", "2026-11-22", "");
    folder.article("kept", "2026-11-23", "tags = [\"beans\"]");
    folder
}

#[test]
fn a_day_later_the_feeds_tell_what_changed_and_nothing_else() {
    let folder = small(BASE);
    folder.build(FRIDAY);
    let before = folder.xml("atom.xml");
    a_day_later(&folder);
    let changed = folder.build(SATURDAY);
    assert_eq!(
        changed,
        [
            "atom.xml",
            "authors/the-editors/atom.xml",
            "authors/the-editors/feed.json",
            "authors/the-editors/rss.xml",
            "feed.json",
            "rss.xml",
            "tags/beans/atom.xml",
            "tags/beans/feed.json",
            "tags/beans/rss.xml",
        ]
    );
    let after = folder.xml("atom.xml");
    let entry = |feed: &crate::tree::Node, wanted: &str| {
        let mut entries = feed.all("entry");
        entries
            .find(|e| e.text_of("id") == wanted)
            .cloned()
            .unwrap()
    };
    let kept = id("2026-11-23", "kept");
    assert_eq!(
        format!("{:?}", entry(&before, &kept)),
        format!("{:?}", entry(&after, &kept))
    );
    let edited = id("2026-11-20", "edited");
    let (old, new) = (entry(&before, &edited), entry(&after, &edited));
    assert_eq!(old.text_of("published"), new.text_of("published"));
    assert_eq!(new.text_of("updated"), "2026-11-27T17:00:00+02:00");
    let new = id("2026-11-28", "new");
    assert_eq!(ids(&after), [new.clone(), kept.clone(), edited.clone()]);
    assert_eq!(ids(&folder.xml("rss.xml")), ids(&after));
    let stones: Vec<(&str, &str)> = after
        .all("at:deleted-entry")
        .map(|stone| (stone.attribute("ref"), stone.attribute("when")))
        .collect();
    let (withdrawn, removed) = (id("2026-11-21", "withdrawn"), id("2026-11-22", "removed"));
    assert_eq!(
        stones,
        [
            (removed.as_str(), "2026-11-28T06:00:00Z"),
            (withdrawn.as_str(), "2026-11-27T22:00:00Z"),
        ]
    );
    assert_eq!(ids(&folder.xml("tags/beans/atom.xml")), [kept]);
    let tag = folder.xml("tags/beans/atom.xml");
    assert_eq!(tag.one("at:deleted-entry").attribute("ref"), withdrawn);
    for name in ["rss.xml", "feed.json"] {
        let text = String::from_utf8(folder.bytes(name)).unwrap();
        assert!(
            !text.contains("withdrawn") && !text.contains("removed"),
            "{name}"
        );
    }
    readers::fits_the_grammar_of_atom(&File {
        path: "atom.xml".to_owned(),
        media_type: "application/atom+xml",
        bytes: folder.bytes("atom.xml"),
    });
    assert_eq!(folder.build(SATURDAY), [""; 0], "nothing changes by itself");

    assert_eq!(complaints(&folder.below(""), BASE, SATURDAY), [""; 0]);

    // A file that comes back is published under its id.
    folder.article("removed", "2026-11-22", "");
    folder.build(SUNDAY);
    let back = folder.xml("atom.xml");
    assert!(ids(&back).contains(&removed));
    assert_eq!(back.one("at:deleted-entry").attribute("ref"), withdrawn);
}

/// The lines of `names` that differ between two states of a folder, as diff(1)
/// tells them.
fn difference(before: &Folder, after: &Folder, names: &[&str]) -> String {
    let mut told = String::new();
    for name in names {
        let output = Command::new("diff")
            .args(["-U0", "--label", name, "--label", name])
            .arg(before.public().join(name))
            .arg(after.public().join(name))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{name} did not change");
        told += &String::from_utf8(output.stdout).unwrap();
    }
    told
}

#[test]
fn a_day_later_these_lines_differ_and_no_others() {
    let (before, after) = (small(BASE), small(BASE));
    for folder in [&before, &after] {
        folder.build(FRIDAY);
    }
    a_day_later(&after);
    after.build(SATURDAY);
    let told = difference(&before, &after, &["atom.xml", "rss.xml", "feed.json"]);
    is_golden("a-day-later.diff", &told);
}

#[test]
fn a_renamed_file_is_the_same_article() {
    let folder = small(BASE);
    folder.build(FRIDAY);
    let from = folder.public().parent().unwrap().join("content/kept.md");
    std::fs::rename(&from, from.with_file_name("renamed.md")).unwrap();
    folder.build(SATURDAY);
    let feed = folder.xml("atom.xml");
    assert!(ids(&feed).contains(&id("2026-11-23", "kept")));
    assert_eq!(feed.all("at:deleted-entry").count(), 0);
}

#[test]
fn newsboat_shows_only_the_new_article_as_unread_a_day_later() {
    for name in ["rss.xml", "atom.xml"] {
        let server = readers::Server::start();
        let folder = small(&server.base);
        folder.build(FRIDAY);
        server.show(&folder.public());
        let reader = readers::Newsboat::new(&format!("{}{name}", server.base));
        reader.reload();
        assert_eq!(reader.unread().len(), 4, "{name}");
        reader.read_all();
        a_day_later(&folder);
        folder.build(SATURDAY);
        reader.reload();
        assert_eq!(reader.unread(), [id("2026-11-28", "new")], "{name}");
    }
}
