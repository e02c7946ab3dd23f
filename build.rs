//! Names this build by its sources: what an earlier one cached may differ from
//! what this one would make, and is then made anew. And has the program linked so
//! that it takes less memory, where the system can load that.

use std::{
    collections::BTreeSet,
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// The first glibc that loads packed relocations (`DT_RELR`).
const PACKED_SINCE: (u32, u32) = (2, 36);

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
    if is_for_this_machine() && glibc().is_some_and(|version| version >= PACKED_SINCE) {
        // Unpacked they are 2 MB, which the loader reads and leaves in memory. A linker
        // that does not know this warns and goes on.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    Ok(())
}

fn is_for_this_machine() -> bool {
    let told = |name: &str| env::var(name).unwrap_or_default();
    told("HOST") == told("TARGET")
        && told("CARGO_CFG_TARGET_OS") == "linux"
        && told("CARGO_CFG_TARGET_ENV") == "gnu"
}

/// The version of the C library here, such as 2.36.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, rest) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
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
