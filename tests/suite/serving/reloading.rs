//! Settings and templates that change while `serve` runs.

use super::client::{PATIENCE, Served};
use super::sent;
use std::time::Duration;

use crate::net::holds_within;

/// Whether the form says these words; every request is answered.
#[track_caller]
fn shows(served: &Served, words: &str) -> bool {
    served.get("/subscribe").is(200).text().contains(words)
}

/// Asks now and then: who asks on and on has to wait.
fn comes_to_show(served: &Served, words: &str) -> bool {
    holds_within(PATIENCE, || {
        std::thread::sleep(Duration::from_millis(500));
        shows(served, words)
    })
}

#[test]
fn on_a_hangup_settings_and_templates_are_read_again_and_nobody_is_turned_away() {
    let press = sent(1);
    let mut served = Served::of(&press);
    press.set("publication.title", "The Second Name");
    assert!(!shows(&served, "The Second Name"), "nobody asked for it");
    served.hang_up();
    assert!(comes_to_show(&served, "The Second Name"));

    // What cannot be used is told, and changes nothing.
    press.set("publication.title", "The Third Name");
    press.set("serve.nonsense", 1);
    served.hang_up();
    served.wait_for("[serve] has no key `nonsense`");
    served.wait_for("readers are answered with the settings from before");
    assert!(shows(&served, "The Second Name"));
    press.config(|settings| {
        settings["serve"].as_table_mut().unwrap().remove("nonsense");
    });
    press.write(
        "templates/readers/subscribe.html",
        "{{ nothing.like.that }}",
    );
    served.hang_up();
    served.wait_for("templates/readers/subscribe.html");
    assert!(shows(&served, "The Second Name"));

    press.write(
        "templates/readers/subscribe.html",
        "<p>{{ publication.title }}, of ours</p>",
    );
    served.hang_up();
    assert!(comes_to_show(&served, "The Third Name, of ours"));
    served.end().succeeds();
}
