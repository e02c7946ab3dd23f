//! The hub hears of exactly the feeds that changed; when it does not listen,
//! nothing else suffers.

pub(crate) mod http;
mod hub;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener},
};

use crate::press::Press;
use http::Server;
use hub::{Hub, Subscriber};

/// A press whose `public/` is served, and a hub that it tells.
struct World {
    press: Press,
    site: Server,
    hub: Hub,
}

/// The feeds of one stream.
const FEEDS: [&str; 3] = ["atom.xml", "feed.json", "rss.xml"];

impl World {
    fn new() -> Self {
        let press = Press::new();
        let site = Server::of_folder(press.path("public"));
        let hub = Hub::start();
        press.set("publication.base_url", site.url());
        press.set("feeds.hub", hub.url());
        Self { press, site, hub }
    }

    /// Topics of the streams in these folders, sorted.
    fn topics(&self, folders: &[&str]) -> Vec<String> {
        let mut topics: Vec<String> = folders
            .iter()
            .flat_map(|folder| FEEDS.map(|feed| format!("{}{folder}{feed}", self.site.url())))
            .collect();
        topics.sort();
        topics
    }

    /// The bytes of every feed that is there now, by topic.
    fn feeds(&self) -> BTreeMap<String, Vec<u8>> {
        let public = self.press.path("public");
        let files = self.press.files("public");
        let feeds = files
            .into_iter()
            .filter(|file| FEEDS.iter().any(|name| file.ends_with(name)));
        feeds
            .map(|file| {
                let name = file.strip_prefix("public/").unwrap();
                let bytes = std::fs::read(public.join(name)).unwrap();
                (format!("{}{name}", self.site.url()), bytes)
            })
            .collect()
    }

    fn edit(&self, words: &str) {
        let path = "content/food/apricots.md";
        let text = self.press.read(path).replace("And that is all", words);
        self.press.write(path, &text);
    }

    /// `run` as cron would at this time of the Friday.
    fn run_at(&mut self, time: &str) -> crate::process::Finished {
        self.press.at(&format!("2026-11-27T{time}+02:00"));
        self.press.run(&["run"])
    }
}

#[test]
fn the_hub_hears_of_exactly_the_feeds_that_changed() {
    let mut world = World::new();
    world.press.run(&["build"]).succeeds();
    let before = world.feeds();
    let everything: Vec<String> = before.keys().cloned().collect();
    assert!(everything.len() > 9, "{everything:#?}");
    assert_eq!(world.hub.accepted(), everything);

    let subscriber = Subscriber::start();
    subscriber.subscribe(&world.hub, &world.topics(&[""])[2]);
    world.press.run(&["build"]).succeeds();
    assert_eq!(world.hub.asked(), everything.len(), "nothing changed");

    world.edit("And this is new");
    world.press.at("2026-11-28T08:00:00+02:00");
    let done = world.press.run(&["--format", "json", "build"]);
    let after = world.feeds();
    let food: Vec<String> = after
        .iter()
        .filter(|(topic, bytes)| before[*topic] != **bytes)
        .map(|(topic, _)| topic.clone())
        .collect();
    assert!(food.len() < everything.len(), "{food:#?}");
    assert!(
        food.iter().all(|topic| !topic.contains("garden")),
        "{food:#?}"
    );
    assert_eq!(world.hub.accepted(), food);
    assert_eq!(
        done.succeeds().json()["hub"]["told"],
        serde_json::json!(food)
    );
    assert_eq!(
        subscriber.received(),
        [world.press.read_bytes("public/rss.xml")]
    );
    let status = world.press.run(&["--format", "json", "status"]).json();
    assert_eq!(status["waiting_pings"], serde_json::Value::Null);
}

#[test]
fn a_hub_that_fails_once_is_told_by_a_later_run() {
    let mut world = World::new();
    // Three refusals in a row: the others are not even asked.
    world.hub.refuse([500, 503, 500]);
    world.run_at("08:00:00").succeeds().is_silent();
    assert_eq!(world.hub.asked(), 3);
    assert_eq!(world.hub.accepted(), [""; 0]);
    world
        .press
        .run(&["status"])
        .succeeds()
        .prints(&format!(
            "is still to be told of {} feeds",
            world.feeds().len()
        ))
        .prints("next at 2026-11-27 08:01")
        .prints("it answered 5");
    world.run_at("08:00:40").succeeds().is_silent();
    assert_eq!(world.hub.asked(), 0, "asked before it is time");
    world.run_at("08:01:30").succeeds().is_silent();
    let everything: Vec<String> = world.feeds().into_keys().collect();
    assert_eq!(world.hub.accepted(), everything);
    let status = world.press.run(&["status"]);
    status.succeeds().conceals("to be told");
}

#[test]
fn a_hub_that_answers_500_for_an_hour_is_no_news_and_later_news_once() {
    let mut world = World::new();
    world.hub.refuse([500; 1000]);
    for minute in (0..60).step_by(5) {
        world
            .run_at(&format!("08:{minute:02}:00"))
            .succeeds()
            .is_silent();
    }
    world.run_at("09:00:00").succeeds().is_silent();
    let told = world.run_at("10:00:00");
    told.succeeds()
        .says("has not taken the news of changed feeds since 2026-11-27 06:00 UTC")
        .says("it answered 500");
    assert_eq!(told.stderr.matches("the hub").count(), 1, "{told}");
    for hour in 11..24 {
        world
            .run_at(&format!("{hour}:00:00"))
            .succeeds()
            .is_silent();
    }
    assert!(world.hub.recover() > 900, "the hub was asked too often");
    // It hears of every change, once.
    world.press.at("2026-11-28T08:00:00+02:00");
    world.press.run(&["run"]).succeeds().is_silent();
    assert_eq!(world.hub.accepted().len(), world.feeds().len());
}

#[test]
fn a_hub_that_is_away_holds_nothing_up_and_is_given_up_after_three_days() {
    let mut world = World::new();
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    world.press.set("feeds.hub", url.as_str());
    world
        .press
        .run(&["build"])
        .succeeds()
        .says("connection refused");
    let mut said = Vec::new();
    for hour in 1..80 {
        let (day, hour) = (27 + (8 + hour) / 24, (8 + hour) % 24);
        let time = match day {
            31.. => format!("2026-12-01T{hour:02}:00:00+02:00"),
            _ => format!("2026-11-{day}T{hour:02}:00:00+02:00"),
        };
        world.press.at(&time);
        let done = world.press.run(&["run"]);
        done.succeeds();
        said.extend(done.stderr.lines().map(str::to_owned));
    }
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said[0].contains("has not taken the news"), "{said:#?}");
    assert!(said[2].contains("gave up telling the hub"), "{said:#?}");
    let status = world.press.run(&["--format", "json", "status"]).json();
    assert_eq!(status["waiting_pings"], serde_json::Value::Null);
    // A change is news again.
    world.press.set("feeds.hub", world.hub.url());
    world.press.run(&["build"]).succeeds();
    assert_eq!(
        world.hub.accepted().len(),
        world.feeds().len(),
        "every feed names its new hub"
    );
}

#[test]
fn a_feed_whose_build_was_cut_off_is_still_told() {
    let world = World::new();
    world.press.run(&["build"]).succeeds();
    world.hub.accepted();
    // As a crash leaves it: the files stand, their news was not made ready.
    let ledger = rusqlite::Connection::open(world.press.database()).unwrap();
    let topic = &world.topics(&[""])[0];
    ledger
        .execute(
            "INSERT INTO pings (hub, topic, revision, is_ready, changed_at, due_at)
             VALUES (?1, ?2, 1, 0, 0, 0)",
            [&world.hub.url(), topic],
        )
        .unwrap();
    drop(ledger);
    world.press.run(&["build"]).succeeds();
    assert_eq!(world.hub.accepted(), std::slice::from_ref(topic));
}
