//! Files beside the database, named after it and for its owner alone. Each
//! holds what the database cannot hold for itself.

pub(super) mod ballast;
pub(super) mod leaving;
pub(super) mod mark;
pub(super) mod outcomes;

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// `<database><end>`, in the same folder. Two names of one database have one
/// companion: what counts is where the file itself lies.
#[must_use]
pub fn companion(db_path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(real_path(db_path));
    name.push(end);
    name.into()
}

/// Opens a companion for reading and writing; makes it if it is not there.
pub(super) fn open(path: &Path, db_path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    give_to_owner(&file, db_path);
    Ok(file)
}

/// What the superuser makes must not keep the ledger's owner out later.
fn give_to_owner(file: &File, db_path: &Path) {
    let (Ok(database), Ok(own)) = (fs::metadata(db_path), file.metadata()) else {
        return;
    };
    if own.uid() != database.uid() && rustix::process::geteuid().is_root() {
        // Where it is refused the next command of the owner says so.
        let owner = (Some(database.uid()), Some(database.gid()));
        drop(std::os::unix::fs::fchown(file, owner.0, owner.1));
    }
}

/// The path without symbolic links; as given where that cannot be told, since
/// opening it then says why.
fn real_path(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (folder_of(path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Where a file lies; the working directory if its path names no folder.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the name of a new file outlive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
