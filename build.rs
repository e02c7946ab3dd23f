//! Names this build by its sources: what an earlier one cached may differ from
//! what this one would make, and is then made anew.

use std::{
    collections::BTreeSet,
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let mut files = BTreeSet::from([PathBuf::from("Cargo.toml"), PathBuf::from("Cargo.lock")]);
    list(Path::new("src"), &mut files)?;
    let mut hasher = DefaultHasher::new();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        // A package made of this crate may come without its lock file.
        (file, fs::read(file).unwrap_or_default()).hash(&mut hasher);
    }
    env::var("RUSTC").ok().hash(&mut hasher);
    env::var("TARGET").ok().hash(&mut hasher);
    println!("cargo::rerun-if-changed=src");
    println!(
        "cargo::rustc-env=LETTERPRESS_BUILD={:016x}",
        hasher.finish()
    );
    Ok(())
}

fn list(folder: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.insert(entry.path());
        }
    }
    Ok(())
}
