//! What can hold a ledger, and what is refused with a reason.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::store::ErrorClass;

#[tokio::test]
async fn a_new_ledger_belongs_to_its_owner_alone_and_keeps_one_key() {
    let world = world().await;
    for name in ["letterpress.db", "letterpress.db-wal"] {
        let mode = fs::metadata(world.folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let key = *world.store.install_key();
    assert_ne!(key, [0; 32]);
    let again = Store::open(&world.settings, now()).await.unwrap();
    assert_eq!(*again.install_key(), key);
    assert!(!format!("{again:?}").contains("key"), "{again:?}");
}

#[tokio::test]
async fn a_commit_is_made_to_survive_a_power_cut_unless_told_otherwise() {
    for (durability, synchronous) in [(Durability::Power, 2), (Durability::Process, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let settings = StoreSettings {
            durability,
            ..settings(&folder)
        };
        let store = Store::open(&settings, now()).await.unwrap();
        let found = store
            .session(|session| {
                let pragma = |name| {
                    session
                        .file()
                        .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                        .unwrap()
                };
                let mode: String = session
                    .file()
                    .pragma_query_value(None, "journal_mode", |row| row.get(0))
                    .unwrap();
                let flags = ["synchronous", "foreign_keys", "secure_delete"].map(pragma);
                Ok((mode, flags))
            })
            .await
            .unwrap();
        assert_eq!(found, ("wal".to_owned(), [synchronous, 1, 1]));
    }
}

#[tokio::test]
async fn reading_makes_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let absent = Store::open_existing(&settings, now()).await.unwrap();
    assert!(absent.is_none());
    fs::write(&settings.path, "").unwrap();
    let empty = Store::open_existing(&settings, now()).await.unwrap();
    assert!(empty.is_none());
    fs::remove_file(&settings.path).unwrap();

    let store = Store::open(&settings, now()).await.unwrap();
    store
        .add(
            vec![reader("a@example.org", Status::Active)],
            "test",
            now(),
            false,
        )
        .await
        .unwrap();
    drop(store);
    let before = fs::read(&settings.path).unwrap();
    let reading = Store::open_existing(&settings, now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        reading.counts_by_status().await.unwrap()[&Status::Active],
        1
    );
    let refused = reading.finish_issues(now()).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Io);
    assert!(refused.to_string().contains("read-only"), "{refused}");
    drop(reading);
    assert_eq!(fs::read(&settings.path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn names_that_are_no_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:ledger.db?mode=memory", ""] {
        let settings = StoreSettings {
            path: name.into(),
            ..settings(&folder)
        };
        let error = Store::open(&settings, now()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration, "{name}: {error}");
        assert!(error.to_string().contains("outlive"), "{error}");
    }
    let settings = StoreSettings {
        path: folder.path().to_owned(),
        ..settings(&folder)
    };
    let error = Store::open(&settings, now()).await.unwrap_err();
    assert!(error.to_string().contains("folder"), "{error}");
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        path: folder.path().join("absent/letterpress.db"),
        ..settings(&folder)
    };
    let error = Store::open(&settings, now()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Io);
    assert!(error.to_string().contains("absent"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let world = world().await;
    world.meddle("PRAGMA user_version = 99").await.unwrap();
    drop(world.store);
    let error = Store::open(&world.settings, now()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Configuration);
    assert!(
        matches!(
            error,
            StoreError::Version {
                found: 99,
                known: 1..99,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("99"), "{error}");
    let error = Store::open_existing(&world.settings, now())
        .await
        .unwrap_err();
    assert_eq!(error.class(), ErrorClass::Configuration);
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let other = rusqlite::Connection::open(&settings.path).unwrap();
    other.execute_batch("CREATE TABLE birds (name)").unwrap();
    drop(other);
    let before = fs::read(&settings.path).unwrap();
    let error = Store::open(&settings, now()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Configuration);
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&settings.path).unwrap(), before);
}

#[tokio::test]
async fn many_may_open_a_new_ledger_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let opening: Vec<_> = (0..16)
        .map(|_| {
            let settings = settings.clone();
            tokio::spawn(async move { Store::open(&settings, now()).await })
        })
        .collect();
    let mut keys = HashSet::new();
    for open in opening {
        keys.insert(*open.await.unwrap().unwrap().install_key());
    }
    assert_eq!(keys.len(), 1);
}
