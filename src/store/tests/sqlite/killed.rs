//! A process that is killed outright: the lock is free at once, and every
//! intent it was granted is in the ledger.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use super::*;
use crate::store::{LockError, RunLock, Scope};

const PATH: &str = "LETTERPRESS_TEST_LEDGER";
const THIS: &str =
    "store::tests::sqlite::killed::every_granted_intent_outlives_a_kill_and_the_lock_does_not";

/// What the process that dies does: takes the lock and asks for one intent
/// after another.
async fn send_until_killed(path: PathBuf) {
    let settings = StoreSettings {
        path,
        durability: Durability::Power,
        allow_network_file_system: false,
        engine: Engine::Sqlite,
    };
    let _lock = RunLock::acquire(&settings.path, now()).unwrap();
    let store = Store::open(&settings, now()).await.unwrap();
    for delivery in store
        .due(Scope::Everything, 10_000, now(), HashSet::new())
        .await
        .unwrap()
    {
        if let Intent::Granted(attempt) = store.intent(delivery.id, now()).await.unwrap() {
            println!("\ngranted {attempt}");
        }
    }
}

#[tokio::test]
async fn every_granted_intent_outlives_a_kill_and_the_lock_does_not() {
    // This very test, started again by itself, is the process that dies.
    if let Some(path) = env::var_os(PATH) {
        return send_until_killed(path.into()).await;
    }
    for granted_before_kill in [1, 7, 40] {
        let (world, issue) = frozen_world(2_000).await;
        let mut sender = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", THIS])
            .env(PATH, &world.settings.path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(sender.stdout.take().unwrap()).lines();
        let mut granted = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("granted ")?.parse::<AttemptId>().ok());
        let mut known: Vec<AttemptId> = granted.by_ref().take(granted_before_kill).collect();
        assert_eq!(known.len(), granted_before_kill);
        let refused = RunLock::acquire(&world.settings.path, now()).unwrap_err();
        match refused {
            LockError::Held(held) => assert_eq!(held.pid, Some(sender.id())),
            LockError::Store(error) => panic!("{error:?}"),
        }
        sender.kill().unwrap();
        sender.wait().unwrap();
        known.extend(granted);

        let _lock = RunLock::acquire(&world.settings.path, now()).unwrap();
        let recovered = world.store.recover(later(1)).await.unwrap();
        assert!(recovered.uncertain >= known.len() as u64);
        let listed: HashSet<AttemptId> = world
            .store
            .uncertain()
            .await
            .unwrap()
            .iter()
            .map(|delivery| delivery.attempt)
            .collect();
        assert!(known.iter().all(|attempt| listed.contains(attempt)));
        assert_eq!(
            world.count(issue, State::Queued).await + recovered.uncertain,
            2_000
        );
        world.adds_up().await;
    }
}
