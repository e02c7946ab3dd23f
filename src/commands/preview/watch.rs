//! Hears of saved files. Saving comes in many events, and editors write beside
//! the file first: one call tells of all that belong together.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Config as Settings, Event, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::super::workspace;
use crate::{config::Config, files::Stamp};

/// A save is over when nothing happened for so long.
const QUIET: Duration = Duration::from_millis(40);
/// Many saves at once (another branch, a copied folder) are not waited out longer.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often to look where the system cannot tell.
const POLL: Duration = Duration::from_secs(1);

/// Watches the files of a publication.
pub(super) struct Watch {
    watcher: Option<Box<dyn Watcher + Send>>,
    events: mpsc::UnboundedReceiver<Event>,
    sender: mpsc::UnboundedSender<Event>,
    is_polling: bool,
    /// Folders as they were when their watching began: the system watches a
    /// folder, not what has its name later.
    watched: BTreeSet<PathBuf>,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    ledger: PathBuf,
    /// Of the ledger when it was read last: reading it may touch it.
    ledger_stamp: Option<Stamp>,
    /// What is above all of these, down from the publication's root.
    above: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches nothing yet.
    pub(super) fn start() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = RecommendedWatcher::new(handler(sender.clone()), Settings::default());
        let mut watch = Self {
            watcher: watcher.ok().map(|watcher| Box::new(watcher) as _),
            events,
            sender,
            is_polling: false,
            watched: BTreeSet::new(),
            folders: Vec::new(),
            files: Vec::new(),
            ledger: PathBuf::new(),
            ledger_stamp: None,
            above: BTreeSet::new(),
        };
        if watch.watcher.is_none() {
            watch.poll();
        }
        watch
    }

    /// Watches what `config` is made of, and its own file. What is not there
    /// yet is noticed when it comes.
    pub(super) fn follow(&mut self, config: &Config, file: &Path) {
        self.folders = [&config.content_dir, Path::new(workspace::TEMPLATES)]
            .map(|folder| config.root.join(folder))
            .to_vec();
        self.files = vec![file.to_owned()];
        self.files.extend(config.seed_file.clone());
        let artwork = config.artwork.iter();
        self.files
            .extend(artwork.map(|(file, _)| config.root.join(file)));
        self.ledger.clone_from(&config.store.path);
        self.ledger_stamp = stamp(&self.ledger);
        let files = self.files.iter().chain([&self.ledger]);
        let parents = files.clone().filter_map(|file| file.parent());
        let ancestors = self.folders.iter().chain(files).flat_map(|path| {
            let above = path.ancestors().skip(1);
            above.take_while(|folder| folder.starts_with(&config.root))
        });
        self.above = parents.chain(ancestors).map(Path::to_owned).collect();
        self.watch();
    }

    /// Watches all that is there and is not watched yet.
    fn watch(&mut self) {
        let is_new =
            |path: &PathBuf, watched: &BTreeSet<PathBuf>| path.is_dir() && !watched.contains(path);
        for folder in self.folders.clone() {
            if is_new(&folder, &self.watched) {
                self.add(folder, RecursiveMode::Recursive);
            }
        }
        for folder in self.above.clone() {
            let is_inside = self.folders.iter().any(|known| folder.starts_with(known));
            if !is_inside && is_new(&folder, &self.watched) {
                self.add(folder, RecursiveMode::NonRecursive);
            }
        }
    }

    fn add(&mut self, path: PathBuf, mode: RecursiveMode) {
        let watching = self.watcher.as_mut().map(|w| w.watch(&path, mode));
        if matches!(watching, Some(Ok(()))) {
            self.watched.insert(path);
        } else if !self.is_polling {
            // The system has no more watches to give: look every second.
            self.poll();
            let again: Vec<PathBuf> = std::mem::take(&mut self.watched).into_iter().collect();
            for known in again.into_iter().chain([path]) {
                let is_deep = self.folders.contains(&known);
                let mode = if is_deep {
                    RecursiveMode::Recursive
                } else {
                    RecursiveMode::NonRecursive
                };
                self.add(known, mode);
            }
        }
    }

    fn poll(&mut self) {
        let settings = Settings::default().with_poll_interval(POLL);
        let watcher = PollWatcher::new(handler(self.sender.clone()), settings);
        self.watcher = watcher.ok().map(|watcher| Box::new(watcher) as _);
        self.is_polling = true;
    }

    /// Waits until something was saved, and until the saving is over. What is
    /// saved while nobody waits is told by the next call, also below a folder
    /// that took the place of another one just now.
    pub(super) async fn changed(&mut self) {
        loop {
            let Some(event) = self.events.recv().await else {
                return std::future::pending().await;
            };
            self.forget_replaced(&event);
            if self.matters(&event) {
                break;
            }
        }
        let end = Instant::now() + PATIENCE;
        let mut quiet = Instant::now() + QUIET;
        while let Ok(Some(event)) = timeout_at(quiet, self.events.recv()).await {
            self.forget_replaced(&event);
            if Instant::now() >= end {
                break;
            }
            quiet = end.min(Instant::now() + QUIET);
        }
        self.watch();
    }

    /// What has the name of a watched folder may be another one now.
    fn forget_replaced(&mut self, event: &Event) {
        let is_any = event.need_rescan();
        if !is_any && !replaces(event) {
            return;
        }
        let is_old =
            |known: &Path| is_any || event.paths.iter().any(|path| known.starts_with(path));
        let watched = std::mem::take(&mut self.watched);
        let (old, kept) = watched.into_iter().partition(|known| is_old(known));
        self.watched = kept;
        let old: BTreeSet<PathBuf> = old;
        for known in old {
            // An error says that nobody watches it any more.
            let _ = self.watcher.as_mut().map(|w| w.unwatch(&known));
        }
    }

    fn matters(&self, event: &Event) -> bool {
        let is_reading = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        };
        // Events were lost: anything may have changed.
        event.need_rescan()
            || (!is_reading && event.paths.iter().any(|path| self.is_ours(path)))
            || (replaces(event) && event.paths.iter().any(|path| self.above.contains(path)))
    }

    fn is_ours(&self, path: &Path) -> bool {
        if *path == self.ledger {
            return stamp(path) != self.ledger_stamp;
        }
        let is_in = |folder: &PathBuf| path.starts_with(folder);
        let is_named = self.files.iter().any(|file| path == file);
        is_named || (self.folders.iter().any(is_in) && !is_scratch(path))
    }
}

/// Whether something came, went or has another name now.
fn replaces(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    )
}

fn handler(sender: mpsc::UnboundedSender<Event>) -> impl Fn(notify::Result<Event>) {
    move |event| {
        // An error names a folder that is gone; its parent told of that. When
        // nobody listens any more the preview is at its end.
        if let Ok(event) = event {
            let _ = sender.send(event);
        }
    }
}

/// What editors keep beside the file that is edited.
fn is_scratch(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with(['.', '#'])
        || name.ends_with('~')
        || [".swp", ".swx", ".tmp", ".part"]
            .iter()
            .any(|end| name.ends_with(end))
        || name == "4913"
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|facts| Stamp::of(&facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_files_of_editors_are_no_articles() {
        for name in [
            ".soup.md.swp",
            "soup.md~",
            "#soup.md#",
            "4913",
            "soup.md.tmp",
        ] {
            assert!(is_scratch(Path::new(name)), "{name}");
        }
        assert!(!is_scratch(Path::new("content/soup.md")));
    }
}
