//! Where the programs stand that `tests/run` installs.
//!
//! A missing one fails the test that needs it: a skipped test proves nothing.

use std::path::{Path, PathBuf};

/// Directories searched; Debian keeps servers out of an ordinary `PATH`.
const DIRECTORIES: [&str; 5] = [
    "/usr/sbin",
    "/usr/bin",
    "/usr/lib/postfix/sbin",
    "/usr/local/bin",
    "/bin",
];

/// The full path of a program.
///
/// # Panics
/// When it is not installed, naming the command that installs it.
#[track_caller]
pub(crate) fn program(name: &str) -> PathBuf {
    DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!("`{name}` is not in {DIRECTORIES:?}; `tests/run` installs it (as root)")
        })
}

/// A Python interpreter with `feedparser`, from the tools kept under `target/`.
#[track_caller]
pub(crate) fn python() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/bin/python");
    assert!(
        path.exists(),
        "no Python with feedparser at {}; `tests/run` installs it",
        path.display()
    );
    path
}
