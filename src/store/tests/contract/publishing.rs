//! Output folders and hubs.

use super::*;
use crate::store::{Manifest, News, Output, Ping, PingFate};

const HUB: &str = "https://hub.example.net/";

fn file(path: &str, byte: u8) -> Output {
    Output {
        path: path.to_owned(),
        sha256: Some([byte; 32]),
    }
}

fn news(topics: &[&str]) -> Option<News> {
    Some(News {
        hub: HUB.to_owned(),
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
    })
}

impl World {
    async fn changed(&self, topics: &[&str], at: DateTime<Utc>) {
        self.store
            .intend_outputs("public", Vec::new(), news(topics), at)
            .await
            .unwrap();
        self.store
            .settle_outputs("public", Vec::new())
            .await
            .unwrap();
    }

    async fn take(&self, at: DateTime<Utc>) -> Vec<Ping> {
        self.store.take_pings(Some(HUB), at).await.unwrap()
    }

    async fn settle(&self, pings: Vec<Ping>, fate: &PingFate, at: DateTime<Utc>) {
        let settled = pings.into_iter().map(|ping| (ping, fate.clone()));
        self.store
            .settle_pings(HUB, settled.collect(), at)
            .await
            .unwrap();
    }
}

fn topics(pings: &[Ping]) -> Vec<&str> {
    pings.iter().map(|ping| ping.topic.as_str()).collect()
}

#[tokio::test]
async fn what_was_intended_is_known_beside_what_was_there() {
    let world = world().await;
    let store = &world.store;
    let folder = Output {
        path: "a/".to_owned(),
        sha256: None,
    };
    let first = vec![folder.clone(), file("a/rss.xml", 1)];
    for _ in 0..2 {
        let again = first.clone();
        store
            .intend_outputs("public", again, None, now())
            .await
            .unwrap();
    }
    let second = vec![file("a/rss.xml", 2)];
    store
        .intend_outputs("public", second, None, now())
        .await
        .unwrap();
    let manifest = store.manifest("public").await.unwrap();
    let both = [folder.clone(), file("a/rss.xml", 1), file("a/rss.xml", 2)];
    assert_eq!(manifest.outputs, both);
    assert!(!manifest.is_cut_off);
    let gone = vec![file("a/rss.xml", 1)];
    store.settle_outputs("public", gone).await.unwrap();
    let manifest = store.manifest("public").await.unwrap();
    assert_eq!(manifest.outputs, [folder, file("a/rss.xml", 2)]);
    assert_eq!(store.manifest("other").await.unwrap(), Manifest::default());
}

#[tokio::test]
async fn a_ping_waits_for_its_feed_and_is_given_to_one_process_only() {
    let world = world().await;
    let store = &world.store;
    store
        .intend_outputs("public", Vec::new(), news(&["b", "a"]), now())
        .await
        .unwrap();
    assert_eq!(world.take(now()).await, []);
    assert!(store.manifest("public").await.unwrap().is_cut_off);
    store.settle_outputs("public", Vec::new()).await.unwrap();
    assert!(!store.manifest("public").await.unwrap().is_cut_off);
    assert_eq!(topics(&world.take(now()).await), ["a", "b"]);
    assert_eq!(world.take(now()).await, [], "another process has them");
    // A process that died holds them for a moment only.
    let taken = world.take(later(3)).await;
    assert_eq!(topics(&taken), ["a", "b"]);
    world.settle(taken, &PingFate::Told, later(3)).await;
    assert_eq!(store.waiting_pings().await.unwrap(), None);
}

#[tokio::test]
async fn news_that_comes_while_the_hub_is_told_is_told_again() {
    let world = world().await;
    world.changed(&["a"], now()).await;
    let taken = world.take(now()).await;
    world.changed(&["a"], later(1)).await;
    world.settle(taken, &PingFate::Told, later(1)).await;
    let again = world.take(later(1)).await;
    assert_eq!(topics(&again), ["a"]);
    assert_eq!(again[0].changed_at, later(1));
    world.settle(again, &PingFate::Told, later(1)).await;
    assert_eq!(world.store.waiting_pings().await.unwrap(), None);
}

#[tokio::test]
async fn a_hub_that_fails_is_not_asked_sooner_because_there_is_more_news() {
    let world = world().await;
    world.changed(&["a"], now()).await;
    let failed = PingFate::Failed {
        again_at: later(30),
        error: "it answered 500".to_owned(),
    };
    let taken = world.take(now()).await;
    world.settle(taken, &failed, now()).await;
    world.changed(&["a"], later(5)).await;
    assert_eq!(world.take(later(5)).await, []);
    let waiting = world.store.waiting_pings().await.unwrap().unwrap();
    assert_eq!((waiting.count, waiting.next_at), (1, later(30)));
    assert_eq!(waiting.last_error.as_deref(), Some("it answered 500"));
    let again = world.take(later(30)).await;
    assert_eq!(
        (again[0].attempts, again[0].failing_since),
        (1, Some(now()))
    );
    // What there was no time for is due at once.
    world.settle(again, &PingFate::NotAsked, later(30)).await;
    assert_eq!(world.take(later(30)).await.len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_silence_a_hub() {
    let world = world().await;
    world.changed(&["a"], later(60 * 24 * 365)).await;
    assert_eq!(topics(&world.take(now()).await), ["a"]);
}

#[tokio::test]
async fn what_waits_for_a_hub_of_former_days_is_forgotten() {
    let world = world().await;
    world.changed(&["a"], now()).await;
    let other = Some("https://other.example.net/");
    assert_eq!(world.store.take_pings(other, now()).await.unwrap(), []);
    assert_eq!(world.store.waiting_pings().await.unwrap(), None);
    world.changed(&["a"], now()).await;
    assert_eq!(world.store.take_pings(None, now()).await.unwrap(), []);
    assert_eq!(world.store.waiting_pings().await.unwrap(), None);
}

#[tokio::test]
async fn whatever_a_build_asks_about_has_another_token_once_it_is_changed() {
    let world = world().await;
    let store = &world.store;
    let first = store.standing().await.unwrap();
    assert!(!first.is_known());
    assert_eq!(store.standing_since(&first).await.unwrap(), None);

    let mut last = first.clone();
    for change in 0..6 {
        match change {
            0 => store.remember(Vec::new()).await.unwrap(),
            1 => store
                .record_published(Default::default(), now())
                .await
                .unwrap(),
            2 => store
                .intend_outputs("public", vec![file("a", 1)], None, now())
                .await
                .unwrap(),
            3 => store.retitle(Vec::new()).await.unwrap(),
            4 => store.settle_outputs("public", Vec::new()).await.unwrap(),
            _ => store
                .note_archive_files("public", Vec::new())
                .await
                .unwrap(),
        }
        let token = store.standing().await.unwrap();
        assert_ne!(token, last, "change {change}");
        last = token;
    }
    assert_eq!(
        store.standing_since(&first).await.unwrap(),
        Some(last.clone())
    );
    // Asking and the hubs are no such changes.
    store.manifest("public").await.unwrap();
    store.take_pings(Some(HUB), now()).await.unwrap();
    assert_eq!(store.standing().await.unwrap(), last);

    // Somebody else's change is in nobody's own.
    let other = Store::open(&world.settings, now()).await.unwrap();
    other.remember(Vec::new()).await.unwrap();
    store.remember(Vec::new()).await.unwrap();
    assert_eq!(store.standing_since(&last).await.unwrap(), None);
    let both = store.standing().await.unwrap();
    assert_eq!(other.standing_since(&both).await.unwrap(), Some(both));
}
