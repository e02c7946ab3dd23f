//! When the disk fails, nothing is half done and the reason is clear.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    time::Duration,
};

use tokio::sync::oneshot::{self, Receiver};

use super::*;
use crate::{
    domain::delivery::{AttemptId, DeliveryId, Outcome},
    store::{
        ErrorClass, Recorded, Trouble,
        writer::{Grouped, Kept},
    },
};

/// No page may be added from now on.
const FULL: &str = "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA max_page_count = 1";
const ROOM: &str = "PRAGMA max_page_count = 4294967294";

/// One delivery can have no intent, for a reason of its own.
const REFUSE_THE_THIRD: &str = "
    CREATE TRIGGER refuse BEFORE INSERT ON attempts WHEN NEW.delivery_id = 3
    BEGIN SELECT RAISE(ABORT, 'no'); END";

#[tokio::test]
async fn a_full_disk_undoes_the_freeze_and_is_named() {
    let world = world().await;
    world.join(500).await;
    world.meddle(FULL).await.unwrap();
    let error = world
        .store
        .freeze(issue(1, "2026-11-27T07:00"), now())
        .await
        .unwrap_err();
    assert_eq!(error.class(), ErrorClass::Io);
    assert_eq!(error.trouble(), Some(Trouble::DiskFull));
    let text = error.to_string();
    assert!(text.contains("cannot be written (disk full on"), "{text}");
    assert!(text.contains("letterpress.db"), "{text}");
    assert!(world.store.issues(1).await.unwrap().is_empty());
    world.meddle(ROOM).await.unwrap();
    world.freeze(&issue(1, "2026-11-27T07:00")).await;
    world.adds_up().await;
}

#[tokio::test]
async fn no_intent_is_granted_that_the_disk_did_not_take() {
    let (world, issue) = frozen_world(2_000).await;
    let due = world.due(now()).await;
    world.meddle(FULL).await.unwrap();
    let receipts: Vec<_> = due
        .iter()
        .map(|delivery| world.store.intent(delivery.id, now()))
        .collect();
    let (mut granted, mut refused) = (Vec::new(), 0);
    for receipt in receipts {
        match receipt.await {
            Ok(Intent::Granted(attempt)) => granted.push(attempt),
            Ok(Intent::Refused) => panic!("refused for another reason"),
            Err(error) => {
                assert_eq!(error.trouble(), Some(Trouble::DiskFull), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    let inflight = world.count(issue, State::Inflight).await;
    assert_eq!(inflight, granted.len() as u64);
    // What was granted before can still be settled once there is room.
    world.meddle(ROOM).await.unwrap();
    for attempt in granted {
        world
            .store
            .outcome(attempt, Outcome::Sent(ok()), now())
            .await
            .unwrap();
    }
    assert_eq!(world.count(issue, State::Sent).await, inflight);
    world.adds_up().await;
}

/// Keeps the writer busy until the sender is dropped: what is asked meanwhile
/// is one group.
async fn busy(world: &World) -> std::sync::mpsc::Sender<()> {
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let store = world.store.clone();
    tokio::spawn(async move {
        let held = store.session(move |_| {
            let _ = begin.send(());
            let _ = wait.recv();
            Ok(())
        });
        held.await.unwrap();
    });
    begun.await.unwrap();
    go_on
}

#[tokio::test]
async fn a_second_copy_is_heard_of_on_a_full_disk_too() {
    let (world, _) = frozen_world(2_000).await;
    let mut due = world.due(now()).await;
    let delivery = due.remove(0).id;
    let first = world.granted(delivery).await;
    world.store.recover(now()).await.unwrap();
    world.store.resend(vec![delivery], now()).await.unwrap();
    let second = world.granted(delivery).await;
    let sent = world.store.outcome(second, Outcome::Sent(ok()), now());
    sent.await.unwrap();

    let ballast = world.folder.path().join("letterpress.db.ballast");
    fs::write(&ballast, "room").unwrap();
    world.meddle(FULL).await.unwrap();
    let go_on = busy(&world).await;
    // Too many intents for the pages that there are, and one that needs none.
    let late = world.store.outcome(first, Outcome::Sent(ok()), now());
    let intents: Vec<_> = due
        .iter()
        .map(|delivery| world.store.intent(delivery.id, now()))
        .collect();
    drop(go_on);
    assert_eq!(late.await.unwrap_err().trouble(), Some(Trouble::DiskFull));
    for intent in intents {
        intent.await.unwrap_err();
    }
    assert!(!ballast.exists(), "the room is given back");
    let late = world.store.late_accepts().await.unwrap();
    assert_eq!(late.len(), 1);
    assert_eq!((late[0].delivery, late[0].attempt), (delivery, first));
    world.adds_up().await;
}

#[tokio::test]
async fn room_is_given_back_for_want_of_room_only() {
    let (world, issue) = frozen_world(2).await;
    let delivery = world.first_due().await;
    let ballast = world.folder.path().join("letterpress.db.ballast");
    fs::write(&ballast, "room").unwrap();
    // A folder where a note of those who leave should be: no lack of room.
    let leaving = world.folder.path().join("letterpress.db.leaving");
    fs::create_dir_all(leaving.join("x")).unwrap();
    let refused = world.store.intent(delivery, now()).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Io);
    assert!(ballast.exists(), "it is needed when the disk is full");
    fs::remove_dir_all(&leaving).unwrap();
    world.granted(delivery).await;
    assert_eq!(world.count(issue, State::Inflight).await, 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    fs::write(
        &settings.path,
        "this is a letter, not a ledger\n".repeat(200),
    )
    .unwrap();
    let error = Store::open(&settings, now()).await.unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Corrupt), "{error}");
    assert!(error.to_string().contains("integrity"), "{error}");
    assert_eq!(error.class(), ErrorClass::Io);
}

#[tokio::test]
async fn a_damaged_page_is_found_and_not_repaired() {
    let (world, _) = frozen_world(300).await;
    drop(world.store);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(&world.settings.path)
        .unwrap();
    let length = file.metadata().unwrap().len();
    for page in 1..length / 4096 {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xA5; 64]).unwrap();
    }
    drop(file);
    let damaged = fs::read(&world.settings.path).unwrap();
    let error = match Store::open(&world.settings, now()).await {
        Err(error) => error,
        Ok(store) => store.counts_by_status().await.unwrap_err(),
    };
    assert_eq!(error.trouble(), Some(Trouble::Corrupt), "{error}");
    assert_eq!(fs::read(&world.settings.path).unwrap(), damaged);
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused_at_once() {
    use std::os::unix::fs::PermissionsExt;
    let world = world().await;
    drop(world.store);
    fs::set_permissions(&world.settings.path, fs::Permissions::from_mode(0o400)).unwrap();
    let is_root = fs::OpenOptions::new()
        .write(true)
        .open(&world.settings.path)
        .is_ok();
    // Permissions do not hold the superuser back; there is nothing to see then.
    if !is_root {
        let error = Store::open(&world.settings, now()).await.unwrap_err();
        assert_eq!(error.trouble(), Some(Trouble::ReadOnly), "{error}");
    }
}

#[tokio::test]
async fn a_ledger_that_stays_locked_is_unavailable_and_works_again_after() {
    let (world, _) = frozen_world(1).await;
    let delivery = world.first_due().await;
    world
        .store
        .session(|session| {
            session
                .file()
                .busy_timeout(Duration::from_millis(50))
                .unwrap();
            Ok(())
        })
        .await
        .unwrap();
    let other = rusqlite::Connection::open(&world.settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = world.store.intent(delivery, now()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    world.granted(delivery).await;
}

/// Statements give up on a locked database at once.
async fn impatient(world: &World) {
    world
        .store
        .session(|session| {
            session.file().busy_timeout(Duration::ZERO).unwrap();
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn an_outcome_whose_commit_failed_goes_with_the_next() {
    let (world, issue) = frozen_world(3).await;
    let due = world.due(now()).await;
    let attempt = world.granted(due[0].id).await;
    impatient(&world).await;
    let other = rusqlite::Connection::open(&world.settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let told = world.store.outcome(attempt, Outcome::Sent(ok()), now());
    assert_eq!(told.await.unwrap_err().class(), ErrorClass::Unavailable);
    other.execute_batch("ROLLBACK").unwrap();
    world.granted(due[1].id).await;
    assert_eq!(world.count(issue, State::Sent).await, 1);
    assert_eq!(world.count(issue, State::Inflight).await, 1);
    world.adds_up().await;
}

#[tokio::test]
async fn an_outcome_that_is_owed_is_committed_before_recovery_and_at_the_end() {
    let (world, issue) = frozen_world(2).await;
    let due = world.due(now()).await;
    let attempts = [
        world.granted(due[0].id).await,
        world.granted(due[1].id).await,
    ];
    impatient(&world).await;
    let other = rusqlite::Connection::open(&world.settings.path).unwrap();
    for (attempt, is_recovered) in attempts.into_iter().zip([true, false]) {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let told = world.store.outcome(attempt, Outcome::Sent(ok()), now());
        told.await.unwrap_err();
        other.execute_batch("ROLLBACK").unwrap();
        if is_recovered {
            assert_eq!(world.store.recover(now()).await.unwrap().uncertain, 1);
            assert_eq!(world.count(issue, State::Sent).await, 1);
        }
    }
    drop(world.store);
    let store = Store::open(&world.settings, now()).await.unwrap();
    let counts = store.progress(issue).await.unwrap();
    assert_eq!(counts, Counts::from([(State::Sent, 2)]));
}

#[tokio::test]
async fn nothing_is_written_after_a_failed_fsync() {
    let (world, _) = frozen_world(1).await;
    let fsync = || {
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC),
            None,
        )
    };
    let failed: Result<(), StoreError> = world.store.write(move |_| Err(fsync().into())).await;
    assert_eq!(failed.unwrap_err().trouble(), Some(Trouble::Sync));
    let delivery = world.store.intent(1, now()).await.unwrap_err();
    assert_eq!(delivery.trouble(), Some(Trouble::Sync));
    assert!(
        delivery.to_string().contains("stable storage failed"),
        "{delivery}"
    );
    let read = world.store.issues(1).await.unwrap_err();
    assert_eq!(read.trouble(), Some(Trouble::Sync));
}

#[tokio::test]
async fn one_bad_request_of_a_group_does_not_harm_the_others() {
    let (world, issue) = frozen_world(3).await;
    let due = world.due(now()).await;
    world.meddle(REFUSE_THE_THIRD).await.unwrap();
    let go_on = busy(&world).await;
    let receipts: Vec<_> = due
        .iter()
        .map(|delivery| world.store.intent(delivery.id, now()))
        .collect();
    drop(go_on);
    let mut granted = 0;
    for (receipt, delivery) in receipts.into_iter().zip(&due) {
        match receipt.await {
            Ok(Intent::Granted(_)) => granted += 1,
            Err(error) => {
                assert_eq!((delivery.id, error.class()), (3, ErrorClass::Internal));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(granted, 2);
    assert_eq!(world.count(issue, State::Inflight).await, 2);
    world.adds_up().await;
}

/// A request, and where its answer comes.
fn asks(delivery: DeliveryId) -> (Grouped, Receiver<Result<Intent, StoreError>>) {
    let (answer, receipt) = oneshot::channel();
    let intent = Grouped::Intent {
        delivery,
        now: now(),
        is_ahead: true,
        answer,
    };
    (intent, receipt)
}

/// Commits the intent of `first` while `attempt` is told to be sent and more intents
/// come, in this order. Gives the answers in the order of what was asked.
async fn grows(
    world: &World,
    first: DeliveryId,
    attempt: AttemptId,
    later: Vec<DeliveryId>,
) -> (
    Vec<Result<Intent, StoreError>>,
    Result<Recorded, StoreError>,
) {
    let (begun, receipt) = asks(first);
    let (intents, receipts): (Vec<_>, Vec<_>) = later.into_iter().map(asks).unzip();
    let (answer, told) = oneshot::channel();
    let commit = world.store.session(move |session| {
        let outcome = Grouped::Outcome {
            attempt,
            outcome: Outcome::Sent(ok()),
            now: now(),
            answer: Some(answer),
            kept: Kept::of(&session.kept),
        };
        let mut more = [outcome].into_iter().chain(intents);
        session.commit_while(vec![begun], &mut || more.next());
        Ok(())
    });
    commit.await.unwrap();
    let mut answers = Vec::new();
    for receipt in [receipt].into_iter().chain(receipts) {
        answers.push(receipt.await.unwrap_or(Err(StoreError::Closed)));
    }
    (answers, told.await.unwrap())
}

#[tokio::test]
async fn one_bad_request_that_comes_while_a_group_grows_does_not_harm_the_others() {
    let (world, issue) = frozen_world(4).await;
    let sent = world.granted(1).await;
    world.meddle(REFUSE_THE_THIRD).await.unwrap();
    let (answers, recorded) = grows(&world, 2, sent, vec![3]).await;
    assert_eq!(recorded.unwrap(), Recorded::Applied);
    let [first, bad] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert!(matches!(first, Ok(Intent::Granted(_))), "{first:?}");
    assert_eq!(bad.as_ref().unwrap_err().class(), ErrorClass::Internal);
    let counts = world.store.progress(issue).await.unwrap();
    let expected = [(State::Queued, 2), (State::Inflight, 1), (State::Sent, 1)];
    assert_eq!(counts, Counts::from(expected));
    world.adds_up().await;
}

#[tokio::test]
async fn what_comes_while_a_group_grows_is_granted_with_it() {
    let (world, issue) = frozen_world(4).await;
    let sent = world.granted(1).await;
    let (answers, recorded) = grows(&world, 2, sent, vec![3, 4]).await;
    assert_eq!(recorded.unwrap(), Recorded::Applied);
    for (answer, delivery) in answers.into_iter().zip(2..) {
        let Ok(Intent::Granted(attempt)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(delivery_of(&world, attempt).await, delivery);
    }
    let expected = [(State::Inflight, 3), (State::Sent, 1)];
    let counts = world.store.progress(issue).await.unwrap();
    assert_eq!(counts, Counts::from(expected));
    world.adds_up().await;
}

async fn delivery_of(world: &World, attempt: AttemptId) -> DeliveryId {
    let delivery = world.store.read(move |tx| {
        let select = "SELECT delivery_id FROM attempts WHERE id = ?1";
        Ok(tx.query_row(select, [attempt], |row| row.get(0))?)
    });
    delivery.await.unwrap()
}

#[tokio::test]
async fn an_outcome_that_came_while_a_group_grew_is_not_lost_with_it() {
    let (world, issue) = frozen_world(2_000).await;
    let sent = world.granted(1).await;
    world.meddle(FULL).await.unwrap();
    let (answers, recorded) = grows(&world, 2, sent, (3..2_000).collect()).await;
    assert_eq!(recorded.unwrap_err().trouble(), Some(Trouble::DiskFull));
    for answer in answers {
        let error = answer.unwrap_err();
        let is_refused = matches!(error, StoreError::Closed);
        assert!(is_refused || error.trouble() == Some(Trouble::DiskFull));
    }
    // It goes with the next commit, and needs no room.
    assert_eq!(world.count(issue, State::Sent).await, 1);
    assert_eq!(world.count(issue, State::Inflight).await, 0);
    world.adds_up().await;
}
