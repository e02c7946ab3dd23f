//! `build`.

use std::fs;

use super::{bytes_of, snapshot};
use crate::press::Press;

#[test]
fn a_build_writes_feeds_of_the_publication_and_of_each_section() {
    let press = Press::new();
    let built = press.run(&["build"]);
    built.succeeds().prints("new      rss.xml").says("new");
    for folder in ["", "sections/food/", "sections/garden/"] {
        for name in ["rss.xml", "atom.xml", "feed.json"] {
            let file = format!("public/{folder}{name}");
            assert!(press.path(&file).exists(), "{file} is not there\n{built}");
        }
    }
    let food = press.read("public/sections/food/rss.xml");
    assert!(food.contains("A bowl of apricots"), "{food}");
    assert!(!food.contains("Three trees for shade"), "{food}");
    assert!(press.path("public/food/apricots.png").exists(), "{built}");
}

#[test]
fn a_second_build_touches_nothing() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let before = snapshot(&press, "public");
    let again = press.run(&["build", "--format", "json"]);
    assert_eq!(again.json()["created"], serde_json::json!([]), "{again}");
    assert_eq!(again.json()["changed"], serde_json::json!([]), "{again}");
    assert_eq!(snapshot(&press, "public"), before);
}

#[test]
fn a_day_later_the_same_input_gives_the_same_bytes() {
    let mut press = Press::new();
    press.run(&["build", "--out", "first"]).succeeds();
    press.at("2026-11-28T08:00:00+02:00");
    press.run(&["build", "--out", "second"]).succeeds();
    let named = |folder: &str| {
        bytes_of(&press, folder)
            .into_iter()
            .map(|(file, bytes)| (file[folder.len()..].to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert!(!named("first").is_empty());
    assert_eq!(named("first"), named("second"));
}

#[test]
fn while_an_error_stands_a_build_touches_nothing() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let before = snapshot(&press, "public");
    press.article("food/bad.md", "+++\ntitle = \n+++\n");
    press.article(
        "food/fine.md",
        "+++\ntitle = \"Fine\"\ndate = 2026-11-26\n+++\nx\n",
    );
    press
        .run(&["build"])
        .exits(65)
        .says("content/food/bad.md:2: error:")
        .says("error: 1 error must be mended first");
    assert_eq!(snapshot(&press, "public"), before);
    // A template that cannot be compiled stops it as well.
    fs::remove_file(press.path("content/food/bad.md")).unwrap();
    press.write("templates/weekly/issue.html", "{% if %}");
    press
        .run(&["build"])
        .exits(65)
        .says("templates/weekly/issue.html:1");
    assert_eq!(snapshot(&press, "public"), before);
}

#[test]
fn what_changed_is_named() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    press.article(
        "food/plums.md",
        "+++\ntitle = \"Plums\"\ndate = 2026-11-26\n+++\nx\n",
    );
    let built = press.run(&["build"]);
    built
        .succeeds()
        .prints("changed  rss.xml")
        .prints("changed  sections/food/atom.xml")
        .conceals("sections/garden");
}

#[test]
fn drafts_and_future_articles_wait() {
    let mut press = Press::new();
    press
        .article(
            "food/draft.md",
            "+++\ntitle = \"Drafted\"\ndate = 2026-11-20\ndraft = true\n+++\nx\n",
        )
        .article(
            "food/later.md",
            "+++\ntitle = \"Dated later\"\ndate = 2026-11-30\n+++\nx\n",
        );
    press.run(&["build"]).succeeds();
    for word in ["Drafted", "Dated later"] {
        assert!(!press.read("public/rss.xml").contains(word), "{word}");
    }
    // The next issue that is not due yet counts what will be there by then.
    let plan = press.run(&["plan", "--count", "2"]);
    plan.prints("out  Dated later (dated in the future)")
        .prints("in   Dated later")
        .prints("out  Drafted (draft)");
    press.at("2026-12-01T08:00:00+02:00");
    press.run(&["build"]).succeeds();
    assert!(press.read("public/rss.xml").contains("Dated later"));
}
