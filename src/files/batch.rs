//! Many files that take their places together: all are written and synced
//! under other names first, so that a full disk leaves what was there complete.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Readers, folder_of, permissions, sync_folder, write};

/// Above this, one sync of the whole file system is quicker than one for each
/// file, and it loads the disk with one wait instead of thousands.
const FEW: usize = 64;

/// Files that wait in a folder of their own for their places. The folder goes
/// away with the batch, and with the next one if the process dies.
#[derive(Debug)]
pub struct Batch {
    folder: PathBuf,
    written: AtomicUsize,
}

/// One file that waits.
#[derive(Debug)]
pub struct Waiting(PathBuf);

impl Batch {
    /// A batch that keeps its files in `folder`, which nobody else uses; on the
    /// file system where they are going. Makes nothing yet, and removes what a
    /// dead process left there.
    ///
    /// # Errors
    /// When what was left there cannot be removed.
    pub fn new(folder: &Path) -> io::Result<Self> {
        remove_folder(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            written: AtomicUsize::new(0),
        })
    }

    /// Writes a file that everybody may read, beside its later place; may be
    /// called from several threads.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Waiting> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        if number == 0 || !self.folder.is_dir() {
            fs::create_dir_all(&self.folder)?;
        }
        let path = self.folder.join(number.to_string());
        let mut file = File::create_new(&path)?;
        file.set_permissions(permissions(Readers::Everybody))?;
        file.write_all(bytes)?;
        Ok(Waiting(path))
    }

    /// Returns when the bytes of all files are on disk.
    ///
    /// # Errors
    /// When they cannot be brought there: a disk may say only now that it is full.
    pub fn sync(&self, files: &[&Waiting]) -> io::Result<()> {
        if files.len() > FEW && sync_file_system(&self.folder)? {
            return Ok(());
        }
        for file in files {
            File::open(&file.0)?.sync_all()?;
        }
        Ok(())
    }

    /// Gives a file its place, over what is there.
    ///
    /// # Errors
    /// When it cannot be placed; then what was there is complete.
    pub fn place(&self, file: Waiting, place: &Path) -> io::Result<()> {
        match fs::rename(&file.0, place) {
            // A folder of the output lies on a disk of its own.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                write(place, &fs::read(&file.0)?, Readers::Everybody)
            }
            done => done,
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next batch.
        drop(remove_folder(&self.folder));
    }
}

/// Returns when every change of these files' folders is on disk.
///
/// # Errors
/// When it cannot be brought there.
pub fn sync_places<'a>(places: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    let folders: BTreeSet<&Path> = places.map(folder_of).collect();
    let there = folders.into_iter().filter(|folder| folder.is_dir());
    let folders: Vec<&Path> = there.collect();
    if folders.len() > FEW && sync_file_system(folders[0])? {
        return Ok(());
    }
    folders.into_iter().try_for_each(sync_folder)
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs the file system that a folder is on; `false` where the system has no
/// such call.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sync_file_system(folder: &Path) -> io::Result<bool> {
    rustix::fs::syncfs(File::open(folder)?)?;
    Ok(true)
}

/// Syncs the file system that a folder is on; `false` where the system has no
/// such call.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_file_system(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_batch_takes_its_places_together_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let batch = Batch::new(&dir.path().join(".waiting")).unwrap();
        let place = |number: usize| dir.path().join(format!("{number}.xml"));
        let files: Vec<_> = (0..100)
            .map(|number: usize| batch.write(number.to_string().as_bytes()).unwrap())
            .collect();
        assert!(!place(0).exists());
        batch.sync(&files.iter().collect::<Vec<_>>()).unwrap();
        for (number, file) in files.into_iter().enumerate() {
            batch.place(file, &place(number)).unwrap();
        }
        drop(batch);
        assert_eq!(fs::read(place(99)).unwrap(), b"99");
        let mode = fs::metadata(place(7)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 100);
    }

    #[test]
    fn what_a_dead_process_left_waiting_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(".waiting");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("0"), "half").unwrap();
        let batch = Batch::new(&folder).unwrap();
        assert!(!folder.exists());
        batch.write(b"whole").unwrap();
        drop(batch);
        assert!(!folder.exists());
    }
}
