//! Figures, taken by hand:
//! `cargo test --release --lib store::tests::measured -- --ignored --nocapture`
//! Two shared cores: a million readers are added in 12 s and frozen in 1.5 s.
//! Intents and outcomes take 8 and 7 µs each without fsync (on tmpfs); on a
//! disk whose fsync takes milliseconds, the size of the groups decides.

use std::time::{Duration, Instant};

use super::*;
use crate::domain::delivery::Outcome;

const READERS: usize = 1_000_000;
const GROUP: usize = 500;

#[tokio::test]
#[ignore = "a measurement of about a minute, not a promise"]
async fn a_million_readers() {
    let world = world().await;
    let start = Instant::now();
    world.join(READERS).await;
    println!("add {READERS}: {:.2?}", start.elapsed());

    let start = Instant::now();
    let frozen = world.freeze(&issue(1, "2026-11-27T07:00")).await;
    println!("freeze {}: {:.2?}", frozen.queued, start.elapsed());

    let [mut taking, mut asking, mut telling] = [Duration::ZERO; 3];
    let mut left = 200_000;
    while left > 0 {
        let start = Instant::now();
        let due = world.store.due(GROUP, now(), HashSet::new()).await.unwrap();
        taking += start.elapsed();
        let start = Instant::now();
        let receipts: Vec<_> = due
            .iter()
            .map(|delivery| world.store.intent(delivery.id, now()))
            .collect();
        let mut attempts = Vec::new();
        for receipt in receipts {
            match receipt.await.unwrap() {
                Intent::Granted(attempt) => attempts.push(attempt),
                Intent::Refused => panic!("refused"),
            }
        }
        asking += start.elapsed();
        let start = Instant::now();
        let receipts: Vec<_> = attempts
            .iter()
            .map(|attempt| world.store.outcome(*attempt, Outcome::Sent(ok()), now()))
            .collect();
        for receipt in receipts {
            receipt.await.unwrap();
        }
        telling += start.elapsed();
        left -= due.len();
    }
    println!(
        "200,000 in groups of {GROUP}: due {taking:.2?}, intents {asking:.2?}, outcomes {telling:.2?}"
    );

    let groups = world.store.session(|session| Ok(session.groups())).await;
    println!("commits: {}", groups.unwrap());

    let start = Instant::now();
    for _ in 0..100 {
        world.counts(frozen.issue).await;
    }
    println!("progress: {:.2?}", start.elapsed() / 100);
    for delivery in world.store.due(10, now(), HashSet::new()).await.unwrap() {
        world.granted(delivery.id).await;
    }
    let start = Instant::now();
    world.store.recover(now()).await.unwrap();
    println!("recover 10: {:.2?}", start.elapsed());
    let start = Instant::now();
    world.adds_up().await;
    println!("verify: {:.2?}", start.elapsed());
    let bytes = std::fs::metadata(&world.settings.path).unwrap().len();
    println!("file: {} MiB", bytes >> 20);
}
