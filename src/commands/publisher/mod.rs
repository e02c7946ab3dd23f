//! Writes the output folder: whole files, only those whose bytes differ, with
//! compressed copies; takes away what nothing makes any more, and leaves alone
//! what others put there.
//!
//! Files are written under other names while the build goes on. `finish` notes
//! them in the ledger, gives all of them their places, then removes what is
//! left over: a build that fails leaves what was published before complete.

mod built;
mod compress;
mod finish;
mod known;

use std::{
    collections::{HashMap, hash_map::Entry},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use url::Url;

pub use self::built::Built;
use self::known::Known;
use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{Config, settings::Compression},
    files::{Batch, Waiting, WriteError},
    store::{BuildLock, Output, Store},
};

/// How long a build waits for another to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The right to write into an output folder, taken before the articles are
/// loaded so that of two builds the later one publishes what it has read.
pub struct Destination {
    out: PathBuf,
    may_overwrite: bool,
    _lock: BuildLock,
}

impl Destination {
    /// Waits for other builds of this publication; `out` is `public/` unless
    /// given. `may_overwrite` allows to replace files of others.
    ///
    /// # Errors
    /// When another build does not end, or the folder cannot be made.
    pub async fn take(
        context: &Context,
        config: &Config,
        out: Option<&Path>,
        may_overwrite: bool,
    ) -> Result<Self, Failure> {
        let lock = wait_for_lock(context, config).await?;
        let out = out.map_or_else(|| config.root.join(workspace::PUBLIC), Path::to_owned);
        let made = fs::create_dir_all(&out).and_then(|()| fs::canonicalize(&out));
        Ok(Self {
            out: made.map_err(|source| unwritable(&out, source))?,
            may_overwrite,
            _lock: lock,
        })
    }

    /// What the folder is called in the ledger: relative to the publication
    /// where it lies in it, so that a publication can move.
    fn name(&self, config: &Config) -> String {
        let root = fs::canonicalize(&config.root).unwrap_or_else(|_| config.root.clone());
        let name = self.out.strip_prefix(root).unwrap_or(&self.out);
        name.to_string_lossy().into_owned()
    }
}

async fn wait_for_lock(context: &Context, config: &Config) -> Result<BuildLock, Failure> {
    let since = Instant::now();
    let mut is_told = false;
    loop {
        let lock = BuildLock::acquire(&config.store.path).map_err(workspace::store_failure)?;
        if let Some(lock) = lock {
            return Ok(lock);
        }
        if since.elapsed() >= PATIENCE {
            let what = format!(
                "another build has been at work for more than {} seconds",
                PATIENCE.as_secs()
            );
            return Err(Failure::new(Exit::Temporary, what).hint("run the same command again"));
        }
        if !is_told {
            context.talk.say("waiting for another build to end");
            is_told = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The output folder while it is being written. May be used from several
/// threads at once: compressing takes longer than making most files.
pub struct Publisher<'a> {
    store: &'a Store,
    destination: Destination,
    name: String,
    base_url: &'a Url,
    hub: Option<&'a Url>,
    compressions: &'a [Compression],
    known: Known,
    batch: Batch,
    progress: Mutex<Progress>,
}

/// What was put so far.
#[derive(Default)]
struct Progress {
    /// Every path of this build, with a short hash of what it is for.
    claimed: HashMap<String, u64>,
    staged: Vec<Staged>,
    /// Files that have our bytes though the ledger does not know or is in doubt.
    adopted: Vec<Output>,
    /// Paths of feeds that hubs are told of.
    feeds: Vec<String>,
    built: Built,
}

/// A file that waits for its place.
struct Staged {
    path: String,
    file: Waiting,
    hash: [u8; 32],
    is_copy: bool,
}

/// How what is there compares with what is to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Difference {
    Absent,
    Other,
    None,
    /// Something that is not ours.
    Foreign,
}

impl<'a> Publisher<'a> {
    /// Reads what the ledger knows of the folder; nothing is written yet.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the folder cannot be used.
    pub async fn begin(
        config: &'a Config,
        store: &'a Store,
        destination: Destination,
    ) -> Result<Self, Failure> {
        let name = destination.name(config);
        let manifest = store
            .manifest(&name)
            .await
            .map_err(workspace::store_failure)?;
        // Another publication may write into the same folder at this moment.
        let whose = Sha256::digest(store.path().as_os_str().as_encoded_bytes());
        let folder = format!(".letterpress-{}", HEXLOWER.encode(&whose[..4]));
        let folder = destination.out.join(folder);
        let batch = Batch::new(&folder).map_err(|source| unwritable(&folder, source))?;
        Ok(Self {
            store,
            destination,
            name,
            base_url: &config.publication.base_url,
            hub: config.feeds.hub.as_ref(),
            compressions: &config.compress,
            known: Known::new(manifest),
            batch,
            progress: Mutex::default(),
        })
    }

    /// Publishes a file below the folder unless it has these bytes already.
    /// Nothing is in its place before [`Publisher::finish`].
    ///
    /// # Errors
    /// When it cannot be written, or something else was put there in this build.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.publish(path, bytes).map(drop)
    }

    /// Publishes a feed that readers subscribe to: the hub is told when its
    /// bytes change. Archive documents are no such feeds.
    ///
    /// # Errors
    /// As [`Publisher::put`].
    pub fn put_feed(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        if self.publish(path, bytes)? {
            self.progress().feeds.push(path.to_owned());
        }
        Ok(())
    }

    /// Keeps a file of an earlier build as it is, for what never changes once
    /// it is complete; `false` when it is not there any more or somebody else
    /// changed it, so that it has to be made again.
    ///
    /// # Errors
    /// As [`Publisher::put`].
    pub fn keep(&self, path: &str) -> Result<bool, Failure> {
        let place = self.destination.out.join(path);
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if is_absence(&error) => return Ok(false),
            Err(source) => return Err(unwritable(&place, source)),
        };
        let hashes = self.known.hashes(path);
        if !hashes.is_empty() && !hashes.contains(&Sha256::digest(&bytes).into()) {
            return Ok(false);
        }
        self.put(path, &bytes)?;
        Ok(true)
    }

    /// What the folder is called in the ledger: relative to the publication
    /// where it lies in it, else its full path.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.name
    }

    /// Whether the file will change.
    fn publish(&self, path: &str, bytes: &[u8]) -> Result<bool, Failure> {
        if !self.claim(path, bytes)? {
            return Ok(false);
        }
        let difference = self.stage(path, bytes, false)?;
        let mut progress = self.progress();
        let name = path.to_owned();
        match difference {
            Difference::Absent => progress.built.created.push(name),
            Difference::Other => progress.built.changed.push(name),
            Difference::None => progress.built.unchanged += 1,
            Difference::Foreign => {
                progress.built.in_the_way.push(name);
                return Ok(false);
            }
        }
        drop(progress);
        if compress::is_worth_it(path, bytes) {
            self.copies(path, bytes, difference)?;
        }
        Ok(difference != Difference::None)
    }

    fn copies(&self, path: &str, bytes: &[u8], difference: Difference) -> Result<(), Failure> {
        for &compression in self.compressions {
            let copy = compress::copy_of(path, compression);
            self.claim(&copy, bytes)?;
            let is_there =
                self.known.is_settled(&copy) && self.destination.out.join(&copy).is_file();
            if difference == Difference::None && is_there {
                continue;
            }
            let compressed = compress::compress(bytes, compression)
                .map_err(|error| Failure::of(Exit::Internal, &error))?;
            if self.stage(&copy, &compressed, true)? == Difference::Foreign {
                self.progress().built.in_the_way.push(copy);
            }
        }
        Ok(())
    }

    /// Notes that this build makes a path; `false` when it did so already.
    fn claim(&self, path: &str, bytes: &[u8]) -> Result<bool, Failure> {
        let is_sound =
            !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_sound {
            let what = format!("`{path}` is no path below the output folder");
            return Err(Failure::new(Exit::Data, what));
        }
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let hash = hasher.finish();
        match self.progress().claimed.entry(path.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(hash);
                Ok(true)
            }
            Entry::Occupied(entry) if *entry.get() == hash => Ok(false),
            Entry::Occupied(_) => {
                let what = format!("two different files would be published as `{path}`");
                Err(Failure::new(Exit::Data, what)
                    .hint("give one of them another address; nothing was published"))
            }
        }
    }

    /// Writes bytes that differ from what is there under another name.
    fn stage(&self, path: &str, bytes: &[u8], is_copy: bool) -> Result<Difference, Failure> {
        let place = self.destination.out.join(path);
        let difference = self
            .compare(path, &place, bytes)
            .map_err(|source| unwritable(&place, source))?;
        match difference {
            Difference::Foreign => {}
            Difference::None => {
                if !self.known.is_settled(path) {
                    let hash = Sha256::digest(bytes).into();
                    self.progress().adopted.push(known::file(path, hash));
                }
            }
            Difference::Absent | Difference::Other => {
                let written = self.batch.write(bytes);
                let file = written.map_err(|source| unwritable(&place, source))?;
                self.progress().staged.push(Staged {
                    path: path.to_owned(),
                    file,
                    hash: Sha256::digest(bytes).into(),
                    is_copy,
                });
            }
        }
        Ok(difference)
    }

    fn compare(&self, path: &str, place: &Path, bytes: &[u8]) -> io::Result<Difference> {
        let facts = match fs::symlink_metadata(place) {
            Ok(facts) => facts,
            // A file where a folder should be is dealt with in `finish`.
            Err(error) if is_absence(&error) => return Ok(Difference::Absent),
            Err(error) => return Err(error),
        };
        if facts.is_dir() {
            return Ok(match self.known.has_folder(path) {
                true => Difference::Absent,
                false => Difference::Foreign,
            });
        }
        let is_same_size = facts.len() == bytes.len() as u64;
        if facts.is_file() && is_same_size && fs::read(place)? == bytes {
            return Ok(Difference::None);
        }
        let may_replace = self.known.has_file(path) || self.destination.may_overwrite;
        Ok(match may_replace {
            true => Difference::Other,
            false => Difference::Foreign,
        })
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unwritable(path: &Path, source: io::Error) -> Failure {
    let path = path.to_owned();
    Failure::of(Exit::Io, &WriteError { path, source }).hint(
        "what was published before is complete; free space or mend permissions and build again",
    )
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use tempfile::TempDir;

    use super::*;
    use crate::commands::{
        Clock,
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
        publisher.put("archive/1.xml", long.as_bytes()).unwrap();
        publisher.finish(now()).await.unwrap();

        let publisher = world.publisher().await;
        assert!(publisher.keep("archive/1.xml").unwrap());
        assert!(!publisher.keep("archive/2.xml").unwrap());
        let built = publisher.finish(now()).await.unwrap();
        assert!(built.is_empty(), "{built:?}");
        assert!(world.place("archive/1.xml.gz").exists());

        fs::write(world.place("archive/1.xml"), "changed by hand").unwrap();
        let publisher = world.publisher().await;
        assert!(!publisher.keep("archive/1.xml").unwrap());
        drop(publisher);
        world.publisher().await.finish(now()).await.unwrap();
        assert!(world.place("archive/1.xml").exists(), "it is not ours now");
        assert!(!world.place("archive/1.xml.gz").exists());
    }

    #[tokio::test]
    async fn one_path_is_for_one_file_below_the_folder() {
        let world = World::new().await;
        let publisher = world.publisher().await;
        publisher.put("logo.png", b"one").unwrap();
        publisher.put("logo.png", b"one").unwrap();
        let twice = publisher.put("logo.png", b"two").unwrap_err();
        assert_eq!(twice.exit, Exit::Data);
        for path in ["../x", "/etc/x", "a//b", "a/./b", "", "a/"] {
            assert_eq!(publisher.put(path, b"x").unwrap_err().exit, Exit::Data);
        }
        drop(publisher);
        assert_eq!(fs::read_dir(world.place("")).unwrap().count(), 0);
    }
}
