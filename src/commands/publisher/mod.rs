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
mod memory;

use std::{
    collections::{HashMap, hash_map::Entry},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use url::Url;

pub use self::built::Built;
use self::{
    known::Known,
    memory::{Memory, Noted},
};
use super::{
    Clock, Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{Config, settings::Compression},
    domain::fingerprint::Fingerprint,
    files::{Batch, Stamp, Waiting, WriteError},
    store::{BuildLock, Output, Store},
};

/// How long a build waits for another to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The right to write into an output folder, taken before the articles are
/// loaded so that of two builds the later one publishes what it has read.
pub struct Destination {
    out: PathBuf,
    may_overwrite: bool,
    clock: Clock,
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
            clock: context.clock,
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
    memory: Memory,
    /// The machine's time before anything was looked at.
    since: DateTime<Utc>,
    batch: Batch,
    progress: Mutex<Progress>,
}

/// What was put so far.
#[derive(Default)]
struct Progress {
    /// Every path of this build, with the hash of what it is for.
    claimed: HashMap<String, [u8; 32]>,
    /// What the next build may know of the files that are there already.
    noted: HashMap<String, Noted>,
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
    noted: Noted,
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

/// A file as an earlier build left it.
enum Left {
    /// As it was noted: its hash; what is noted now, of it and then its copies.
    Noted([u8; 32], Vec<(String, Noted)>),
    /// Its bytes, for what is not noted or looks otherwise.
    Read(Vec<u8>),
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
            name,
            base_url: &config.publication.base_url,
            hub: config.feeds.hub.as_ref(),
            compressions: &config.compress,
            known: Known::new(manifest),
            memory: Memory::read(config, &destination.out),
            since: destination.clock.machine_time(),
            destination,
            batch,
            progress: Mutex::default(),
        })
    }

    /// Publishes a file below the folder unless it has these bytes already.
    /// Nothing is in its place before [`Publisher::finish`]. `recipe` is of
    /// everything that the file was made of, for [`Publisher::keeps`].
    ///
    /// # Errors
    /// When it cannot be written, or something else was put there in this build.
    pub fn put(
        &self,
        path: &str,
        recipe: Option<Fingerprint>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        self.publish(path, recipe, bytes).map(drop)
    }

    /// Publishes a feed that readers subscribe to: the hub is told when its
    /// bytes change. Archive documents are no such feeds.
    ///
    /// # Errors
    /// As [`Publisher::put`].
    pub fn put_feed(
        &self,
        path: &str,
        recipe: Option<Fingerprint>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        if self.publish(path, recipe, bytes)? {
            self.progress().feeds.push(path.to_owned());
        }
        Ok(())
    }

    /// Keeps a file that was made of the same things by an earlier build, so
    /// that it need not be made; `false` when it has to be.
    ///
    /// # Errors
    /// When that cannot be told, or something else was put there in this build.
    pub fn keeps(&self, path: &str, recipe: Fingerprint) -> Result<bool, Failure> {
        self.take_all(&[path], |path| self.made_of(path, recipe))
    }

    /// Keeps files that belong together and were made of the same things by an
    /// earlier build: all of them, or none.
    ///
    /// # Errors
    /// As [`Publisher::keeps`].
    pub fn keeps_all(
        &self,
        paths: &[impl AsRef<str>],
        recipe: Fingerprint,
    ) -> Result<bool, Failure> {
        self.take_all(paths, |path| self.made_of(path, recipe))
    }

    /// Keeps files of an earlier build as they are, for what never changes once
    /// it is complete; `false` when one of them is not there any more or
    /// somebody else changed it, so that all have to be made again.
    ///
    /// # Errors
    /// As [`Publisher::put`].
    pub fn keep_all(&self, paths: &[impl AsRef<str>]) -> Result<bool, Failure> {
        self.take_all(paths, |path| self.left(path))
    }

    /// Looks at all before one is taken: what has to be made again must not be
    /// claimed with the bytes that it has.
    fn take_all(
        &self,
        paths: &[impl AsRef<str>],
        look: impl Fn(&str) -> Result<Option<Left>, Failure>,
    ) -> Result<bool, Failure> {
        let mut found = Vec::with_capacity(paths.len());
        for path in paths {
            match look(path.as_ref())? {
                Some(left) => found.push((path.as_ref(), left)),
                None => return Ok(false),
            }
        }
        for (path, left) in found {
            self.take(path, left)?;
        }
        Ok(true)
    }

    fn take(&self, path: &str, left: Left) -> Result<(), Failure> {
        let (hash, all) = match left {
            Left::Noted(hash, all) => (hash, all),
            Left::Read(bytes) => return self.put(path, None, &bytes),
        };
        if !self.claim(path, &hash)? {
            return Ok(());
        }
        for (copy, _) in &all[1..] {
            self.claim(copy, &hash)?;
        }
        let mut progress = self.progress();
        progress.built.unchanged += 1;
        progress.noted.extend(all);
        Ok(())
    }

    /// A file that was made of the same things.
    fn made_of(&self, path: &str, recipe: Fingerprint) -> Result<Option<Left>, Failure> {
        match self.memory.get(path) {
            Some(noted) if noted.recipe == Some(recipe) => self.as_noted(path, noted),
            _ => Ok(None),
        }
    }

    /// A file that nobody changed since.
    fn left(&self, path: &str) -> Result<Option<Left>, Failure> {
        if let Some(noted) = self.memory.get(path)
            && let Some(left) = self.as_noted(path, noted)?
        {
            return Ok(Some(left));
        }
        let place = self.destination.out.join(path);
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(source) => return Err(unwritable(&place, source)),
        };
        let hashes = self.known.hashes(path);
        let is_ours = hashes.is_empty() || hashes.contains(&hash(&bytes));
        Ok(is_ours.then_some(Left::Read(bytes)))
    }

    /// A file if it and its copies are as they were noted.
    fn as_noted(&self, path: &str, noted: &Noted) -> Result<Option<Left>, Failure> {
        let Some(now) = self.still(path, noted)? else {
            return Ok(None);
        };
        let mut all = vec![(path.to_owned(), now)];
        for &compression in self.compressions.iter().filter(|_| noted.has_copies) {
            let copy = compress::copy_of(path, compression);
            match self.memory.get(&copy).map(|noted| self.still(&copy, noted)) {
                Some(Ok(Some(now))) => all.push((copy, now)),
                Some(Err(failure)) => return Err(failure),
                Some(Ok(None)) | None => return Ok(None),
            }
        }
        Ok(Some(Left::Noted(noted.hash, all)))
    }

    /// What is noted of a file that is still what it was; the ledger must know
    /// nothing else of it.
    fn still(&self, path: &str, noted: &Noted) -> Result<Option<Noted>, Failure> {
        if self.known.hashes(path) != [noted.hash] {
            return Ok(None);
        }
        let place = self.destination.out.join(path);
        match noted.still(&place, self.since) {
            Err(error) if is_absence(&error) => Ok(None),
            told => told.map_err(|source| unwritable(&place, source)),
        }
    }

    /// What the folder is called in the ledger: relative to the publication
    /// where it lies in it, else its full path.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.name
    }

    /// Whether the file will change.
    fn publish(
        &self,
        path: &str,
        recipe: Option<Fingerprint>,
        bytes: &[u8],
    ) -> Result<bool, Failure> {
        let noted = Noted {
            recipe,
            hash: hash(bytes),
            stamp: None,
            has_copies: compress::is_worth_it(path, bytes),
        };
        if !self.claim(path, &noted.hash)? {
            return Ok(false);
        }
        let difference = self.stage(path, bytes, noted, false)?;
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
        if noted.has_copies {
            self.copies(path, bytes, &noted.hash, difference)?;
        }
        Ok(difference != Difference::None)
    }

    fn copies(
        &self,
        path: &str,
        bytes: &[u8],
        original: &[u8; 32],
        difference: Difference,
    ) -> Result<(), Failure> {
        for &compression in self.compressions {
            let copy = compress::copy_of(path, compression);
            self.claim(&copy, original)?;
            if difference == Difference::None && self.keeps_copy(&copy)? {
                continue;
            }
            let compressed = compress::compress(bytes, compression)
                .map_err(|error| Failure::of(Exit::Internal, &error))?;
            let noted = Noted::copy(hash(&compressed));
            if self.stage(&copy, &compressed, noted, true)? == Difference::Foreign {
                self.progress().built.in_the_way.push(copy);
            }
        }
        Ok(())
    }

    /// Keeps the copy of a file that did not change, if it is as we made it.
    fn keeps_copy(&self, copy: &str) -> Result<bool, Failure> {
        // Between an intent and its settlement nobody knows which one it is.
        let &[hash] = self.known.hashes(copy) else {
            return Ok(false);
        };
        let noted = self.memory.get(copy).filter(|noted| noted.hash == hash);
        let noted = noted.copied().unwrap_or_else(|| Noted::copy(hash));
        let now = self.still(copy, &noted)?;
        if let Some(now) = now {
            self.progress().noted.insert(copy.to_owned(), now);
        }
        Ok(now.is_some())
    }

    /// Notes that this build makes a path of bytes with this hash (a copy: of an
    /// original with this hash); `false` when it did so already.
    fn claim(&self, path: &str, hash: &[u8; 32]) -> Result<bool, Failure> {
        let is_sound =
            !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_sound {
            let what = format!("`{path}` is no path below the output folder");
            return Err(Failure::new(Exit::Data, what));
        }
        match self.progress().claimed.entry(path.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(*hash);
                Ok(true)
            }
            Entry::Occupied(entry) if entry.get() == hash => Ok(false),
            Entry::Occupied(_) => {
                let what = format!("two different files would be published as `{path}`");
                Err(Failure::new(Exit::Data, what)
                    .hint("give one of them another address; nothing was published"))
            }
        }
    }

    /// Writes bytes that differ from what is there under another name.
    fn stage(
        &self,
        path: &str,
        bytes: &[u8],
        noted: Noted,
        is_copy: bool,
    ) -> Result<Difference, Failure> {
        let place = self.destination.out.join(path);
        let (difference, stamp) = self
            .compare(path, &place, bytes, &noted.hash)
            .map_err(|source| unwritable(&place, source))?;
        match difference {
            Difference::Foreign => {}
            Difference::None => {
                let mut progress = self.progress();
                let noted = Noted { stamp, ..noted };
                progress.noted.insert(path.to_owned(), noted);
                if !self.known.is_settled(path) {
                    progress.adopted.push(known::file(path, noted.hash));
                }
            }
            Difference::Absent | Difference::Other => {
                let written = self.batch.write(bytes);
                let file = written.map_err(|source| unwritable(&place, source))?;
                self.progress().staged.push(Staged {
                    path: path.to_owned(),
                    file,
                    noted,
                    is_copy,
                });
            }
        }
        Ok(difference)
    }

    /// How what is there compares with what is to be there; and what it looks
    /// like, where it is the same.
    fn compare(
        &self,
        path: &str,
        place: &Path,
        bytes: &[u8],
        hash: &[u8; 32],
    ) -> io::Result<(Difference, Option<Stamp>)> {
        let facts = match fs::symlink_metadata(place) {
            Ok(facts) => facts,
            // A file where a folder should be is dealt with in `finish`.
            Err(error) if is_absence(&error) => return Ok((Difference::Absent, None)),
            Err(error) => return Err(error),
        };
        if facts.is_dir() {
            return Ok(match self.known.has_folder(path) {
                true => (Difference::Absent, None),
                false => (Difference::Foreign, None),
            });
        }
        let stamp = Stamp::of(&facts);
        let noted = self.memory.get(path).filter(|noted| noted.hash == *hash);
        let is_noted = noted.is_some_and(|noted| noted.stamp == Some(stamp));
        let is_same_size = facts.is_file() && stamp.size == bytes.len() as u64;
        if is_same_size && (is_noted || fs::read(place)? == bytes) {
            let stamp = Some(stamp).filter(|stamp| stamp.is_settled(self.since));
            return Ok((Difference::None, stamp));
        }
        let may_replace = self.known.has_file(path) || self.destination.may_overwrite;
        Ok(match may_replace {
            true => (Difference::Other, None),
            false => (Difference::Foreign, None),
        })
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
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
}
