//! Files that are whole or not there: written to a temporary name in the same
//! folder, synced, renamed, and the folder synced too. And what tells without
//! reading that a file is still the same.

mod batch;
pub mod record;
mod stamp;

pub use batch::{Batch, Waiting, sync_places};
pub use stamp::Stamp;

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Who may read a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Everybody, for a web server: 0644.
    Everybody,
    /// This account only, for what names subscribers: 0600.
    Owner,
}

/// What writing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The file is new.
    Created,
    /// Its bytes differed.
    Changed,
    /// It had these bytes already and was not touched.
    Unchanged,
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written", path.display())]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Writes `bytes` to `path` unless it has them already; makes its folders.
///
/// # Errors
/// When a folder or the file cannot be written; then the old file is complete.
pub fn write_if_changed(
    path: &Path,
    bytes: &[u8],
    readers: Readers,
) -> Result<Written, WriteError> {
    let failed = |source| WriteError {
        path: path.to_owned(),
        source,
    };
    let before = match fs::read(path) {
        Ok(old) if old == bytes => return Ok(Written::Unchanged),
        Ok(_) => Written::Changed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Written::Created,
        Err(error) => return Err(failed(error)),
    };
    write(path, bytes, readers).map_err(failed)?;
    Ok(before)
}

/// Writes `bytes` to `path`, whatever was there; makes its folders.
///
/// # Errors
/// As [`write_if_changed`], without the name of the file.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let folder = folder_of(path);
    make_folder(folder, readers)?;
    let mut file = tempfile::Builder::new()
        .prefix(".letterpress-")
        .permissions(permissions(readers))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Writes what can be made again at any time, without waiting for the disk:
/// after a crash of the machine it may be broken, which its reader must notice.
///
/// # Errors
/// When it cannot be written; then what was there is complete.
pub fn write_unsynced(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".letterpress-")
        .permissions(permissions(readers))
        .tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes `bytes` to `path`, where nothing may be yet; makes its folders.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when something is there, which stays as it
/// is; else as [`write()`].
pub fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let folder = folder_of(path);
    make_folder(folder, Readers::Everybody)?;
    let mut file = tempfile::Builder::new()
        .prefix(".letterpress-")
        .permissions(permissions(readers))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes a folder and those above it; one for the owner only is 0700.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(folder: &Path, readers: Readers) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn permissions(readers: Readers) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(match readers {
        Readers::Everybody => 0o644,
        Readers::Owner => 0o600,
    })
}

/// A rename is on disk when its folder is.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn equal_bytes_leave_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.xml");
        let write = |bytes: &[u8]| write_if_changed(&path, bytes, Readers::Everybody).unwrap();
        assert_eq!(write(b"one"), Written::Created);
        let inode = fs::metadata(&path).unwrap().ino();
        assert_eq!(write(b"one"), Written::Unchanged);
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        assert_eq!(write(b"two"), Written::Changed);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let names = fs::read_dir(dir.path().join("a")).unwrap().count();
        assert_eq!(names, 1, "a temporary file was left behind");
    }

    #[test]
    fn what_names_subscribers_is_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox/1.eml");
        write(&path, b"x", Readers::Owner).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_failure_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = write_if_changed(&file.join("below"), b"x", Readers::Owner).unwrap_err();
        assert!(error.to_string().contains("below"), "{error}");
    }
}
