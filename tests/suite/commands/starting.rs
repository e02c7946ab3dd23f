//! `init` and `new`.

use crate::press::Press;

#[test]
fn what_init_makes_is_free_of_problems_and_run_accepts_it() {
    let press = Press::empty();
    let made = press.run(&["init"]);
    made.succeeds().prints("letterpress.toml").says("next:");
    press.run(&["check", "--strict"]).succeeds();
    press.run(&["run"]).succeeds();
    assert!(press.path("public/rss.xml").exists());
    // The starter's slot, Friday at seven UTC, is an hour away: sent by hand.
    press.run(&["send", "weekly"]).succeeds();
    assert_eq!(press.files("outbox").len(), 1, "one reader, one message");
}

#[test]
fn init_makes_a_folder_and_overwrites_nothing() {
    let press = Press::empty();
    press
        .run(&["init", "magazine"])
        .succeeds()
        .says("next: `cd magazine`, put");
    press.write("magazine/letterpress.toml", "mine");
    press
        .run(&["init", "magazine"])
        .exits(65)
        .says("magazine/letterpress.toml is already there");
    assert_eq!(press.read("magazine/letterpress.toml"), "mine");
}

#[test]
fn a_new_article_has_a_permanent_id_and_is_a_draft() {
    let press = Press::new();
    press
        .run(&[
            "new",
            "Ten things: \"quinces\" & crème",
            "--section",
            "food",
        ])
        .succeeds()
        .prints("content/food/ten-things-quinces-creme.md");
    let text = press.read("content/food/ten-things-quinces-creme.md");
    let front = text.split("+++").nth(1).unwrap();
    let front: toml::Table = front.parse().unwrap();
    assert_eq!(
        front["title"].as_str(),
        Some("Ten things: \"quinces\" & crème")
    );
    assert_eq!(
        front["id"].as_str(),
        Some("tag:garden.example.org,2026:2026-11-27/ten-things-quinces-creme")
    );
    assert_eq!(front["draft"].as_bool(), Some(true));
    press
        .run(&["check", "--strict"])
        .succeeds()
        .says("1 held back");
}

#[test]
fn new_refuses_to_overwrite_an_article() {
    let press = Press::new();
    press
        .run(&["new", "Shade", "--section", "garden"])
        .exits(65);
    press
        .run(&["new", "Letter"])
        .succeeds()
        .prints("content/letter.md");
    press.write("content/letter.md", "mine");
    press
        .run(&["new", "Letter"])
        .exits(65)
        .says("content/letter.md is already there");
    assert_eq!(press.read("content/letter.md"), "mine");
    press
        .run(&["new", "???"])
        .exits(2)
        .says("no letter or digit");
}
