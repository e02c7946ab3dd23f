//! Old copies, loops, full disks, readers who leave while nobody can write.

use std::{fs, path::PathBuf, time::Duration};

use super::*;
use crate::{
    domain::delivery::Outcome,
    store::{
        Begun, CRASH, Departure, ErrorClass, Guarded, RESTORED, Restored, Trouble, beside,
        beside::leaving::{Leaving, Note},
        sql::Connection,
    },
};

fn beside_db(world: &World, end: &str) -> PathBuf {
    beside::companion(&world.settings.path, end)
}

/// Puts yesterday's copy in the place of the ledger.
async fn restore(world: World, copy: &std::path::Path) -> World {
    let World {
        store,
        settings,
        folder,
        ..
    } = world;
    drop(store);
    for end in ["-wal", "-shm"] {
        drop(fs::remove_file(beside::companion(&settings.path, end)));
    }
    fs::copy(copy, &settings.path).unwrap();
    let store = Store::open(&settings, now()).await.unwrap();
    World {
        store,
        settings,
        folder,
        database: None,
        engine: PhantomData,
    }
}

async fn backed_up(world: &World) -> PathBuf {
    let to = world.folder.path().join("copy.db");
    let copied = Store::backup(&world.settings, to.clone(), |_, _| {}).await;
    assert_eq!(copied.unwrap().unwrap().path, to);
    to
}

#[tokio::test]
async fn a_restored_ledger_refuses_to_run_until_it_is_accepted() {
    let (world, issue) = frozen_world(4).await;
    for _ in 0..2 {
        let run = world.begun(1, now()).await;
        world.store.end_run(run, 0, "", now()).await.unwrap();
    }
    let copy = backed_up(&world).await;
    let run = world.begun(1, now()).await;
    let attempt = world.granted(world.first_due().await).await;
    drop(world.store.outcome(attempt, Outcome::Sent(ok()), now()));
    world.store.end_run(run, 0, "", now()).await.unwrap();

    let world = restore(world, &copy).await;
    let refused = world.store.begin_run(1, later(1)).await.unwrap();
    let issues = vec![Guarded {
        issue: "weekly/1".to_owned(),
        deliveries: 4,
    }];
    let (run, last_run) = (2, 3);
    assert_eq!(
        refused,
        Begun::Restored(Restored {
            run,
            last_run,
            issues
        })
    );
    assert_eq!(world.count(issue, State::Uncertain).await, 4);
    let doubts = world.store.uncertain().await.unwrap();
    assert!(doubts.iter().all(|doubt| doubt.reason == RESTORED));
    world.adds_up().await;
    // It is refused again, and has nothing more to doubt.
    match world.store.begin_run(1, later(2)).await.unwrap() {
        Begun::Restored(again) => assert!(again.issues.is_empty()),
        other => panic!("{other:?}"),
    }
    assert!(world.store.accept_restored(1, later(3)).await.unwrap());
    assert!(!world.store.accept_restored(1, later(3)).await.unwrap());
    assert_eq!(world.begun(1, later(4)).await, 5);
    world.adds_up().await;
}

#[tokio::test]
async fn a_copy_made_during_the_last_run_is_old_too() {
    let (world, _) = frozen_world(3).await;
    let run = world.begun(1, now()).await;
    let due = world.due(now()).await;
    world.granted(due[0].id).await;
    let copy = backed_up(&world).await;
    world.granted(due[1].id).await;
    world.store.end_run(run, 0, "", now()).await.unwrap();
    let world = restore(world, &copy).await;
    match world.store.begin_run(1, now()).await.unwrap() {
        Begun::Restored(restored) => {
            assert_eq!((restored.run, restored.last_run), (run, run));
            assert_eq!(restored.issues[0].deliveries, 2);
        }
        other => panic!("{other:?}"),
    }
    let reasons: HashSet<String> = world
        .store
        .uncertain()
        .await
        .unwrap()
        .into_iter()
        .map(|doubt| doubt.reason)
        .collect();
    assert_eq!(reasons, HashSet::from([RESTORED.to_owned()]));
    world.adds_up().await;
}

#[tokio::test]
async fn what_a_copy_has_as_uncertain_may_have_been_settled_after_it_was_made() {
    let (world, _) = frozen_world(2).await;
    let run = world.begun(1, now()).await;
    world.granted(world.first_due().await).await;
    world.store.recover(now()).await.unwrap();
    assert_eq!(world.store.uncertain().await.unwrap()[0].reason, CRASH);
    let copy = backed_up(&world).await;
    world.store.end_run(run, 3, "", now()).await.unwrap();
    world.begun(1, later(1)).await;
    let world = restore(world, &copy).await;
    world.store.begin_run(1, later(2)).await.unwrap();
    let doubts = world.store.uncertain().await.unwrap();
    assert_eq!(doubts.len(), 2);
    for doubt in doubts {
        assert_eq!(doubt.reason, RESTORED);
        assert_eq!(doubt.since, later(2), "no policy's grace has passed");
    }
    world.adds_up().await;
}

#[tokio::test]
async fn accepting_keeps_what_a_person_settled_before() {
    let (world, issue) = frozen_world(3).await;
    let copy = backed_up(&world).await;
    world.begun(1, now()).await;
    let world = restore(world, &copy).await;
    world.store.begin_run(1, later(1)).await.unwrap();
    let doubts = world.store.uncertain().await.unwrap();
    world.store.mark_sent(vec![doubts[0].id]).await.unwrap();
    world
        .store
        .resend(vec![doubts[1].id], later(2))
        .await
        .unwrap();
    let is_settled = async || {
        for state in [State::Sent, State::Queued, State::Uncertain] {
            assert_eq!(world.count(issue, state).await, 1, "{state}");
        }
    };
    assert!(matches!(
        world.store.begin_run(1, later(3)).await.unwrap(),
        Begun::Restored(_)
    ));
    is_settled().await;
    assert!(world.store.accept_restored(1, later(4)).await.unwrap());
    is_settled().await;
    world.begun(1, later(5)).await;
    world.adds_up().await;
}

#[tokio::test]
async fn a_copy_that_is_accepted_unseen_is_doubted_first() {
    let (world, issue) = frozen_world(3).await;
    let copy = backed_up(&world).await;
    world.begun(1, now()).await;
    let world = restore(world, &copy).await;
    assert!(world.store.accept_restored(1, later(1)).await.unwrap());
    assert_eq!(world.count(issue, State::Uncertain).await, 3);
    world.adds_up().await;
}

#[tokio::test]
async fn another_ledger_in_the_same_place_is_not_an_old_one() {
    let (world, _) = frozen_world(1).await;
    world.begun(1, now()).await;
    world.begun(1, now()).await;
    drop(world.store);
    for end in ["", "-wal", "-shm"] {
        drop(fs::remove_file(beside::companion(
            &world.settings.path,
            end,
        )));
    }
    let store = Store::open(&world.settings, now()).await.unwrap();
    assert_eq!(store.begin_run(1, now()).await.unwrap(), Begun::Run(1));
}

/// Holds the database as a long import does.
fn hold(world: &World) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(&world.settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test]
async fn who_leaves_while_the_database_is_held_gets_nothing_more() {
    let (world, issue) = frozen_world(3).await;
    let due = world.due(now()).await;
    let import = hold(&world);
    let site = Store::open(&world.settings, now()).await.unwrap();
    let begin = std::time::Instant::now();
    let left = site.unsubscribe(&due[1].address, "link", now()).await;
    let left = left.unwrap();
    assert!(left.is_noted && left.was == Some(Status::Active));
    let waited = begin.elapsed();
    assert!((5..15).contains(&waited.as_secs()), "{waited:?}");
    let nobody = address("stranger@example.org");
    let path = beside_db(&world, ".leaving");
    let before = fs::read(&path).unwrap();
    let unknown = site.unsubscribe(&nobody, "link", now()).await.unwrap();
    assert!(!unknown.is_noted && unknown.was.is_none());
    assert_eq!(fs::read(&path).unwrap(), before, "strangers are not kept");

    import.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        world.store.intent(due[1].id, now()).await.unwrap(),
        Intent::Refused
    );
    assert_eq!(world.count(issue, State::Cancelled).await, 1);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    // A process that died before it cleared the file: again, no change.
    fs::write(&path, &before).unwrap();
    world.granted(due[0].id).await;
    assert_eq!(world.count(issue, State::Cancelled).await, 1);
    let story = world.store.why(&due[1].address, None).await.unwrap();
    let events: Vec<_> = story.events.iter().map(|e| e.what.as_str()).collect();
    assert_eq!(events, ["added", "unsubscribed"]);
    world.adds_up().await;
}

#[tokio::test]
async fn a_torn_line_harms_no_other_and_a_freeze_leaves_the_noted_out() {
    let world = world().await;
    world.join(2).await;
    let path = beside_db(&world, ".leaving");
    fs::write(&path, "{\"address\":\"reader0@exam").unwrap();
    let reader = address("reader1@example.org");
    let leaving = Leaving::of(&world.settings.path);
    let note = Note::new(&reader, Departure::List, &"link".into(), now());
    leaving.append(&[note]).unwrap();
    let frozen = world.freeze(&issue(1, "2026-11-27T07:00")).await;
    assert_eq!((frozen.queued, frozen.candidates), (1, 2));
    assert_eq!(
        world.due(now()).await[0].address.key(),
        "reader0@example.org"
    );
}

#[tokio::test]
async fn a_backup_is_whole_while_others_write_and_replaces_nothing() {
    let (world, issue) = frozen_world(3_000).await;
    let store = world.store.clone();
    let due = world.due(now()).await;
    let writing = tokio::spawn(async move {
        for delivery in due {
            store.intent(delivery.id, now()).await.unwrap();
        }
    });
    let copy = backed_up(&world).await;
    assert!(!writing.is_finished(), "nobody wrote meanwhile");
    writing.await.unwrap();
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let settings = StoreSettings {
        path: copy.clone(),
        ..world.settings.clone()
    };
    let copied = Store::open_existing(&settings, now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(copied.verify().await.unwrap(), [""; 0]);
    let counts = copied.progress(issue).await.unwrap();
    assert_eq!(counts.values().sum::<u64>(), 3_000);
    drop(copied);
    let again = Store::backup(&world.settings, copy.clone(), |_, _| {}).await;
    assert_eq!(again.unwrap_err().class(), ErrorClass::Io);
    let names: Vec<_> = fs::read_dir(world.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("backup") || name.starts_with("copy.db-"))
        .collect();
    assert_eq!(names, [""; 0], "left-overs");
}

#[tokio::test]
async fn a_copy_of_a_damaged_ledger_is_none() {
    let (world, _) = frozen_world(3).await;
    world
        .meddle("UPDATE tallies SET count = 9 WHERE state = 0")
        .await
        .unwrap();
    let to = world.folder.path().join("copy.db");
    let refused = Store::backup(&world.settings, to.clone(), |_, _| {}).await;
    assert_eq!(refused.unwrap_err().trouble(), Some(Trouble::Corrupt));
    assert!(!to.exists());
    // Neither does such a ledger begin a run.
    let refused = world.store.begin_run(1, now()).await.unwrap_err();
    assert_eq!(refused.trouble(), Some(Trouble::Corrupt));
}

#[tokio::test]
async fn a_loop_is_looked_for_in_the_newest_attempts_only() {
    let (world, _) = frozen_world(10).await;
    let plan = plans(&world, &[crate::store::guards::DEATHS]).await;
    let of_attempts = plan.iter().find(|line| line.contains(" a "));
    let of_attempts = of_attempts.expect("a line on attempts");
    assert!(of_attempts.ends_with("PRIMARY KEY (rowid>?)"), "{plan:?}");
}

/// How SQLite would go about statements.
async fn plans(world: &World, statements: &'static [&str]) -> Vec<String> {
    let plans = world.store.read(move |tx| {
        let mut lines = Vec::new();
        for sql in statements {
            let Connection::Sqlite(file) = tx else {
                panic!("not a file");
            };
            let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let parameters = std::iter::repeat_n(0, plan.parameter_count());
            let rows = plan.query_map(rusqlite::params_from_iter(parameters), |row| {
                row.get::<_, String>(3)
            })?;
            lines.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(lines)
    });
    plans.await.unwrap()
}

#[tokio::test]
async fn recovery_looks_at_what_was_under_way_only() {
    let (world, _) = frozen_world(10).await;
    let plans = plans(&world, &crate::store::deliveries::RECOVERY).await;
    assert!(plans.len() >= 3, "{plans:?}");
    for line in plans.iter().filter(|line| line.contains("SCAN")) {
        assert!(line.contains("deliveries_inflight"), "{plans:?}");
    }
}

#[tokio::test]
async fn a_ledger_that_is_written_to_can_be_opened() {
    let (world, _) = frozen_world(1).await;
    let import = hold(&world);
    let opened = tokio::time::timeout(Duration::from_secs(5), Store::open(&world.settings, now()));
    opened.await.unwrap().unwrap();
    drop(import);
}

#[tokio::test]
async fn a_note_that_cannot_be_read_lets_nobody_be_written_to() {
    let (world, _) = frozen_world(1).await;
    let delivery = world.first_due().await;
    // A folder in its place cannot be opened as a file.
    fs::create_dir_all(beside_db(&world, ".leaving").join("x")).unwrap();
    let refused = world.store.intent(delivery, now()).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Io);
    assert!(refused.to_string().contains(".leaving"), "{refused}");
}

#[tokio::test]
async fn recovery_reads_only_what_was_under_way() {
    let (world, _) = frozen_world(1).await;
    let plan = world
        .store
        .session(|session| {
            let mut explain = session
                .file()
                .prepare(
                    "EXPLAIN QUERY PLAN UPDATE deliveries INDEXED BY deliveries_inflight
                        SET state = 4, attempts = attempts + 1 WHERE state = 2",
                )
                .unwrap();
            let lines = explain.query_map([], |row| row.get(3)).unwrap();
            Ok(lines
                .collect::<Result<Vec<String>, _>>()
                .unwrap()
                .join("; "))
        })
        .await
        .unwrap();
    assert!(plan.contains("deliveries_inflight"), "{plan}");
}
