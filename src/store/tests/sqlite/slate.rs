//! What a start after a kill learns from the slate, and when it learns nothing.

use std::{fs, path::PathBuf};

use super::*;
use crate::{domain::delivery::Outcome, store::Slate};

/// An issue to five readers, of whom four have an intent: the first was answered,
/// the second too but the ledger was not told, the end of the third's message left,
/// and the fourth's did not.
async fn four_under_way() -> (World, IssueId, PathBuf) {
    let (world, issue) = frozen_world(5).await;
    let slate = world
        .store
        .slate(true)
        .await
        .unwrap()
        .expect("there is memory");
    let due = world.due(now()).await;
    for (number, delivery) in due.iter().take(4).enumerate() {
        let attempt = world.granted(delivery.id).await;
        if number == 3 {
            break;
        }
        slate.dot(0, attempt).unwrap();
        if number < 2 {
            let sent = Outcome::Sent(ok());
            slate.ended(attempt, &sent, later(1)).unwrap();
            if number == 0 {
                world.store.outcome(attempt, sent, later(1)).await.unwrap();
            }
        }
    }
    let file = file_of(&world).await;
    (world, issue, file)
}

async fn file_of(world: &World) -> PathBuf {
    let name: String = world
        .store
        .read(|tx| Ok(tx.query_row("SELECT slate FROM installation", [], |row| row.get(0))?))
        .await
        .unwrap();
    PathBuf::from(format!("/dev/shm/letterpress-{name}"))
}

/// The process dies, and another one takes over.
async fn killed(world: World) -> World {
    drop(world.store);
    let store = Store::open(&world.settings, later(10)).await.unwrap();
    World { store, ..world }
}

async fn sent_uncertain_queued(world: &World, issue: IssueId) -> [u64; 3] {
    let counts = world.counts(issue).await;
    [State::Sent, State::Uncertain, State::Queued]
        .map(|state| counts.get(&state).copied().unwrap_or(0))
}

#[tokio::test]
async fn only_what_was_ended_and_not_answered_is_uncertain() {
    let (world, issue, file) = four_under_way().await;
    let world = killed(world).await;
    assert!(file.exists());
    let recovered = world.store.recover(later(10)).await.unwrap();
    assert_eq!((recovered.uncertain, recovered.requeued), (1, 0));
    assert_eq!(sent_uncertain_queued(&world, issue).await, [2, 1, 2]);
    assert!(!file.exists(), "nothing is under way");
    let fourth = address("reader3@example.org");
    let story = world.store.why(&fourth, None).await;
    let attempts = &story.unwrap().deliveries[0].attempts;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some("requeued")]);
    // Once more it changes nothing.
    assert_eq!(world.store.recover(later(11)).await.unwrap().uncertain, 0);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [2, 1, 2]);
    world.adds_up().await;
}

#[tokio::test]
async fn without_the_slate_everything_under_way_is_uncertain() {
    let (world, issue, file) = four_under_way().await;
    // As a restart of the machine does.
    fs::remove_file(&file).unwrap();
    let world = killed(world).await;
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 3);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [1, 3, 1]);
}

#[tokio::test]
async fn a_slate_that_is_damaged_or_open_to_others_tells_nothing() {
    use std::os::unix::fs::PermissionsExt;
    type Damage = fn(&PathBuf);
    let damages: [Damage; 5] = [
        |file| {
            let mut text = fs::read(file).unwrap();
            text[8_192] ^= 1;
            fs::write(file, text).unwrap();
        },
        |file| {
            let mut text = fs::read(file).unwrap();
            text[8_192 + 64 + 20] ^= 1;
            fs::write(file, text).unwrap();
        },
        |file| fs::write(file, b"").unwrap(),
        |file| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap(),
        |file| {
            let moved = file.with_extension("moved");
            fs::rename(file, &moved).unwrap();
            std::os::unix::fs::symlink(&moved, file).unwrap();
        },
    ];
    for damage in damages {
        let (world, issue, file) = four_under_way().await;
        damage(&file);
        let world = killed(world).await;
        assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 3);
        assert_eq!(sent_uncertain_queued(&world, issue).await, [1, 3, 1]);
        for file in [file.with_extension("moved"), file] {
            drop(fs::remove_file(file));
        }
    }
}

#[tokio::test]
async fn a_session_that_goes_on_without_telling_spoils_the_slate() {
    let (world, issue, file) = four_under_way().await;
    world.store.recover(now()).await.unwrap();
    let slate = world.store.slate(true).await.unwrap().unwrap();
    let due = world.due(now()).await;
    let first = world.granted(due[0].id).await;
    slate.dot(7, first).unwrap();
    assert!(slate.is_trusted());
    let second = world.granted(due[1].id).await;
    slate.dot(7, second).unwrap();
    assert!(!slate.is_trusted() && !file.exists());
    drop(slate);
    let world = killed(world).await;
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 2);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [2, 3, 0]);
}

#[tokio::test]
async fn an_outcome_that_the_ledger_cannot_take_spoils_the_slate() {
    let (world, _, file) = four_under_way().await;
    world.store.recover(now()).await.unwrap();
    let slate: std::sync::Arc<Slate> = world.store.slate(true).await.unwrap().unwrap();
    assert!(!file.exists());
    let attempt = world.granted(world.first_due().await).await;
    slate.dot(0, attempt).unwrap();
    world
        .meddle(
            "CREATE TRIGGER meddled BEFORE UPDATE ON attempts
             BEGIN SELECT RAISE(ABORT, 'meddled'); END",
        )
        .await
        .unwrap();
    let sent = Outcome::Sent(ok());
    slate.ended(attempt, &sent, now()).unwrap();
    world.store.outcome(attempt, sent, now()).await.unwrap_err();
    assert!(!slate.is_trusted());
    drop(slate);
    world.meddle("DROP TRIGGER meddled").await.unwrap();
    let world = killed(world).await;
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 1);
}

#[tokio::test]
async fn the_two_newest_answers_of_every_session_are_kept() {
    let (world, issue) = frozen_world(40).await;
    let slate = world.store.slate(true).await.unwrap().unwrap();
    let due = world.due(now()).await;
    for (number, delivery) in due.iter().enumerate() {
        let attempt = world.granted(delivery.id).await;
        slate.dot(number % 2, attempt).unwrap();
        let sent = Outcome::Sent(Reply::new(250, &"ü".repeat(600)));
        slate.ended(attempt, &sent, now()).unwrap();
        if number < 36 {
            // The ledger has all but the last two of each.
            world.store.outcome(attempt, sent, now()).await.unwrap();
        }
    }
    drop(slate);
    let world = killed(world).await;
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 0);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [40, 0, 0]);
}

#[tokio::test]
async fn a_slate_that_is_in_use_tells_nothing_and_stays() {
    let (world, issue, file) = four_under_way().await;
    // As when somebody has removed the lock of a run that goes on.
    let second = Store::open(&world.settings, later(10)).await.unwrap();
    assert_eq!(second.recover(later(10)).await.unwrap().uncertain, 3);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [1, 3, 1]);
    assert!(file.exists());
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn the_slate_of_a_drain_before_the_last_is_not_believed() {
    let (world, issue, file) = four_under_way().await;
    let world = killed(world).await;
    // Neither one that wants none, nor one that would say of what is under way that
    // it was never ended, leaves it there.
    for is_wanted in [true, false] {
        assert!(world.store.slate(is_wanted).await.unwrap().is_none());
    }
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 3);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [1, 3, 1]);
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn what_a_session_heard_to_be_uncertain_counts_as_found() {
    let (world, issue) = frozen_world(1).await;
    let slate = world.store.slate(true).await.unwrap().unwrap();
    let attempt = world.granted(world.first_due().await).await;
    slate.dot(0, attempt).unwrap();
    let reason = "no reply after end of message".to_owned();
    let silent = Outcome::Uncertain { reason };
    slate.ended(attempt, &silent, later(1)).unwrap();
    drop(slate);
    let world = killed(world).await;
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 1);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [0, 1, 0]);
    let listed = world.store.uncertain().await.unwrap();
    assert_eq!(listed[0].reason, "no reply after end of message");
}

#[tokio::test]
async fn an_answer_that_the_ledger_cannot_take_keeps_nobody_from_starting() {
    let (world, issue, _) = four_under_way().await;
    let world = killed(world).await;
    world
        .meddle(
            "CREATE TRIGGER meddled BEFORE UPDATE ON attempts WHEN NEW.outcome = 1
             BEGIN SELECT RAISE(ABORT, 'meddled'); END",
        )
        .await
        .unwrap();
    assert_eq!(world.store.recover(later(10)).await.unwrap().uncertain, 3);
    assert_eq!(sent_uncertain_queued(&world, issue).await, [1, 3, 1]);
}
