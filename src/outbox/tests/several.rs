//! Several relays: each its share, and the others that of one that fails.

use super::*;
use crate::store::RelayMemory;

/// A world whose second relay follows `script`; weights as given.
async fn two_relays(
    count: usize,
    weights: [u32; 2],
    first: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    second: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (World, ScriptedRelay) {
    let mut world = World::new(readers(count), first).await;
    let other = ScriptedRelay::start(true, second).await;
    world.settings.relays.push(relay_at(other.port));
    for (relay, weight) in world.settings.relays.iter_mut().zip(weights) {
        relay.weight = weight;
    }
    (world, other)
}

/// Everybody has one copy, from one relay or the other.
fn once_each(world: &World, other: &ScriptedRelay, count: usize) {
    let (one, two) = (world.relay.taken(), other.taken());
    assert!(one.values().chain(two.values()).all(|times| *times == 1));
    assert!(one.keys().all(|reader| !two.contains_key(reader)));
    assert_eq!(one.len() + two.len(), count);
}

#[tokio::test]
async fn every_relay_gets_its_share_by_weight() {
    let (world, other) = two_relays(200, [3, 1], usual, usual).await;
    let report = world.drain().await;
    assert_eq!((report.sent, report.ending), (200, None));
    once_each(&world, &other, 200);
    let share = world.relay.taken().len();
    assert!(
        (146..=154).contains(&share),
        "{share} of 200 are no three quarters"
    );
    assert_eq!(report.relays[0].1, share as u64);
}

#[tokio::test]
async fn the_share_of_a_relay_that_is_away_goes_to_the_other() {
    let away = |asked: &Asked| match asked.phase {
        Phase::Connect => Answer::Say("421 4.3.2 not now"),
        _ => Answer::Usual,
    };
    let (mut world, other) = two_relays(60, [1, 1], away, usual).await;
    world.settings.relay_patience = Duration::from_secs(600);
    let report = world.drain().await;
    assert_eq!((report.sent, &report.ending), (60, &None));
    assert_eq!(other.taken().len(), 60);
    assert_eq!(report.dropped.len(), 1, "{report:?}");
    assert_eq!(report.dropped[0].why, Why::OthersServe);
    assert!(report.dropped[0].text.contains("421 4.3.2 not now"));
    let known = world.store.relays().await.unwrap();
    let away: Vec<bool> = known.iter().map(|relay| relay.away.is_some()).collect();
    assert_eq!(away.iter().filter(|away| **away).count(), 1, "{known:?}");
}

#[tokio::test]
async fn a_relay_that_refuses_the_login_is_out_and_the_exit_code_tells() {
    let refused = |asked: &Asked| match asked.phase {
        Phase::Mail => Answer::Say("530 5.7.0 log in first"),
        _ => Answer::Usual,
    };
    let (world, other) = two_relays(40, [1, 1], refused, usual).await;
    let report = world.drain().await;
    assert_eq!((report.sent, &report.ending), (40, &None));
    assert_eq!(other.taken().len(), 40);
    assert_eq!(report.dropped[0].why, Why::Refused);
    assert_eq!(world.counted_attempts().await, 0);
}

#[tokio::test]
async fn when_no_relay_is_left_the_drain_ends_and_names_them_all() {
    let away = |asked: &Asked| match asked.phase {
        Phase::Connect => Answer::Say("421 4.3.2 not now"),
        _ => Answer::Usual,
    };
    let (world, other) = two_relays(5, [1, 1], away, away).await;
    let report = world.drain().await;
    let ending = report.ending.unwrap();
    assert_eq!(ending.why, Why::RelayAway);
    for port in [world.relay.port, other.port] {
        let name = format!("relay 127.0.0.1:{port} unreachable since 05:00");
        assert!(ending.text.contains(&name), "{}", ending.text);
    }
    assert!(
        ending
            .text
            .ends_with("; 5 queued, next try with the next run")
    );
    assert_eq!(world.counts().await, BTreeMap::from([(State::Queued, 5)]));
}

#[tokio::test]
async fn a_relay_whose_quota_is_spent_is_left_alone_by_later_runs() {
    let spent = |asked: &Asked| match asked.phase {
        Phase::Dot => Answer::Say("454 4.7.0 Daily quota exceeded until 2026-11-27 05:30 UTC"),
        _ => Answer::Usual,
    };
    let mut world = World::new(readers(5), spent).await;
    let report = world.drain().await;
    let ending = report.ending.unwrap();
    assert_eq!(ending.why, Why::Quota);
    assert!(
        ending
            .text
            .contains("stopped until 2026-11-27 05:30 UTC, 5 queued")
    );
    let called = world.relay.sessions();
    let again = world.drain().await;
    assert_eq!(
        again.ending.as_ref(),
        Some(&ending),
        "said as long as it is so"
    );
    assert_eq!(world.relay.sessions(), called, "not even called");

    let other = ScriptedRelay::start(true, usual).await;
    world.settings.relays.push(relay_at(other.port));
    let report = world.drain().await;
    assert_eq!((report.sent, report.ending), (5, None));
    assert_eq!(report.dropped, [], "nobody waits for it");
    assert_eq!(world.relay.sessions(), called);
}

#[tokio::test]
async fn a_quota_spent_in_the_middle_rejects_nobody() {
    for words in [
        "550 5.4.5 Daily user sending limit exceeded. Learn more at https://example.net/limits",
        "550 5.7.1 Daily SMTP relay limit exceeded for customer.",
    ] {
        let left = AtomicI64::new(4);
        let world = World::new(readers(12), move |asked| match asked.phase {
            Phase::Dot if left.fetch_sub(1, Ordering::SeqCst) <= 0 => Answer::Say(words),
            _ => Answer::Usual,
        })
        .await;
        let report = world.drain().await;
        assert_eq!((report.sent, report.rejected), (4, 0), "{words}");
        let ending = report.ending.unwrap();
        assert_eq!(ending.why, Why::Quota, "{words}");
        assert!(ending.text.ends_with(" UTC, 8 queued"), "{}", ending.text);
        assert_eq!(world.counted_attempts().await, 0);
        world.nobody_twice();
    }
}

#[tokio::test]
async fn the_quota_ends_at_the_time_it_was_said_to() {
    let world = World::new(readers(5), usual).await;
    let name = format!("127.0.0.1:{}", world.relay.port);
    let quiet = RelayMemory {
        name,
        sessions: 2,
        away: None,
        quiet: Some((morning() + TimeDelta::minutes(10), "454 spent".to_owned())),
    };
    world.store.keep_relays(vec![quiet]).await.unwrap();
    assert_eq!(world.drain().await.sent, 0);
    world.passed.store(601, Ordering::SeqCst);
    assert_eq!(world.drain().await.sent, 5);
    let known = world.store.relays().await.unwrap();
    assert_eq!((known[0].sessions, &known[0].quiet), (2, &None));
}
