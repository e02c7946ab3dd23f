//! What is kept, and which places there are, in a folder of its own.

use std::{fs, path::PathBuf};

use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::*;
use crate::commands::{
    Clock, Context,
    talk::{Format, Talk, Volume},
};

const SETTINGS: &str = "
    [publication]
    title = \"Tide\"
    base_url = \"https://magazine.example.org/\"
    id_authority = \"magazine.example.org,2026\"
";

struct World {
    folder: TempDir,
    config: Config,
    store: Store,
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letterpress.toml");
        fs::write(&path, SETTINGS).unwrap();
        let (config, _) = Config::load(&path).unwrap();
        let store = Store::open(&config.store, now()).await.unwrap();
        Self {
            folder,
            config,
            store,
        }
    }

    async fn publisher(&self) -> Publisher<'_> {
        let context = Context {
            config: None,
            clock: Clock::new(now, None),
            talk: Talk::new(Format::Human, Volume::Quiet),
        };
        let destination = Destination::take(&context, &self.config, None, false).await;
        Publisher::begin(&self.config, &self.store, destination.unwrap())
            .await
            .unwrap()
    }

    fn place(&self, path: &str) -> PathBuf {
        self.folder.path().join("public").join(path)
    }
}

#[tokio::test]
async fn what_is_kept_stays_with_its_copies_unless_somebody_changed_it() {
    let world = World::new().await;
    let long = "An article. ".repeat(200);
    let publisher = world.publisher().await;
    assert_eq!(publisher.folder(), "public");
    publisher
        .put("archive/1.xml", None, long.as_bytes())
        .unwrap();
    publisher.finish(now()).await.unwrap();

    let publisher = world.publisher().await;
    assert!(publisher.keep_all(&["archive/1.xml"]).unwrap());
    assert!(!publisher.keep_all(&["archive/2.xml"]).unwrap());
    let built = publisher.finish(now()).await.unwrap();
    assert!(built.is_empty(), "{built:?}");
    assert!(world.place("archive/1.xml.gz").exists());

    fs::write(world.place("archive/1.xml"), "changed by hand").unwrap();
    let publisher = world.publisher().await;
    assert!(!publisher.keep_all(&["archive/1.xml"]).unwrap());
    drop(publisher);
    world.publisher().await.finish(now()).await.unwrap();
    assert!(world.place("archive/1.xml").exists(), "it is not ours now");
    assert!(!world.place("archive/1.xml.gz").exists());
}

#[tokio::test]
async fn files_that_belong_together_are_kept_together_or_made_again() {
    let world = World::new().await;
    let recipe = Fingerprint::of(&"soup");
    let both = ["1.xml", "2.xml"];
    let publisher = world.publisher().await;
    for path in both {
        publisher.put(path, Some(recipe), b"old").unwrap();
    }
    publisher.finish(now()).await.unwrap();

    let publisher = world.publisher().await;
    assert!(publisher.keeps_all(&both, recipe).unwrap());
    assert!(publisher.keep_all(&both).unwrap(), "and once more");
    publisher.finish(now()).await.unwrap();

    fs::remove_file(world.place("2.xml")).unwrap();
    let publisher = world.publisher().await;
    assert!(!publisher.keeps_all(&both, recipe).unwrap());
    assert!(!publisher.keep_all(&both).unwrap());
    for path in both {
        publisher.put(path, None, b"new").unwrap();
    }
    let built = publisher.finish(now()).await.unwrap();
    assert_eq!(
        (built.created, built.changed),
        (vec!["2.xml".to_owned()], vec!["1.xml".to_owned()])
    );
}

#[tokio::test]
async fn one_path_is_for_one_file_below_the_folder() {
    let world = World::new().await;
    let publisher = world.publisher().await;
    publisher.put("logo.png", None, b"one").unwrap();
    publisher.put("logo.png", None, b"one").unwrap();
    let twice = publisher.put("logo.png", None, b"two").unwrap_err();
    assert_eq!(twice.exit, Exit::Data);
    for path in ["../x", "/etc/x", "a//b", "a/./b", "", "a/"] {
        assert_eq!(
            publisher.put(path, None, b"x").unwrap_err().exit,
            Exit::Data
        );
    }
    drop(publisher);
    assert_eq!(fs::read_dir(world.place("")).unwrap().count(), 0);
}
