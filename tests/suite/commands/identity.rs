//! Ids are minted once: whatever else changes, readers know an article again.

use std::collections::BTreeMap;
use std::fs;

use crate::press::Press;

/// Ids by title in each of the three feeds.
fn ids(press: &Press) -> [BTreeMap<String, String>; 3] {
    press.run(&["build"]).succeeds();
    let between = |text: &str, open: &str, close: &str| {
        let rest = text.split_once(open).unwrap().1;
        rest.split_once(close).unwrap().0.to_owned()
    };
    let rss = press.read("public/rss.xml");
    let rss = rss.split("<item>").skip(1).map(|item| {
        let id = between(item, "<guid isPermaLink=\"false\">", "</guid>");
        (between(item, "<title>", "</title>"), id)
    });
    let atom = press.read("public/atom.xml");
    let atom = atom.split("<entry>").skip(1).map(|entry| {
        let title = between(entry, "<title", "</title>");
        let title = title.split_once('>').unwrap().1.to_owned();
        (title, between(entry, "<id>", "</id>"))
    });
    let json: serde_json::Value = serde_json::from_str(&press.read("public/feed.json")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let json = json["items"].as_array().unwrap();
    let json = json
        .iter()
        .map(|item| (text(&item["title"]), text(&item["id"])));
    [rss.collect(), atom.collect(), json.collect()]
}

#[test]
fn an_id_survives_renaming_redating_and_a_move_of_the_site() {
    let press = Press::new();
    let before = ids(&press);
    assert_eq!(before[0].len(), 4, "{before:?}");
    assert_eq!(before[0], before[1]);
    assert_eq!(before[1], before[2]);

    let from = press.path("content/food/apricots.md");
    fs::rename(from, press.path("content/food/stone-fruit.md")).unwrap();
    let text = press.read("content/garden/shade.md");
    let text = text.replace("date = 2026-11-22", "date = 2026-10-02");
    press.write("content/garden/shade.md", &text);
    press.set("publication.base_url", "https://moved.example.com/garden/");
    assert_eq!(ids(&press), before);
    let rss = press.read("public/rss.xml");
    assert!(
        rss.contains("https://moved.example.com/garden/food/stone-fruit/"),
        "{rss}"
    );

    // And a renamed article is not new to the digest.
    press.run(&["run"]).succeeds();
    let from = press.path("content/food/flatbread.md");
    fs::rename(from, press.path("content/food/bread.md")).unwrap();
    assert_eq!(ids(&press), before);
    assert_eq!(super::planned(&press), Vec::<String>::new());
}

#[test]
fn an_id_in_the_front_matter_wins() {
    let press = Press::new();
    let id = "https://old.example.net/?p=17";
    press.article(
        "food/moved.md",
        &format!("---\ntitle: Moved\nguid: {id}\ndate: 2026-11-01\n---\nx\n"),
    );
    for feed in ids(&press) {
        assert_eq!(feed["Moved"], id);
    }
}
