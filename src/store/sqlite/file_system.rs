//! Which file systems keep the promises a ledger lives on: locks that other
//! processes see, shared memory, and an fsync that means it.

use std::path::Path;

use crate::store::error::StoreError;

/// The kind of network file system that a path lies on, if any.
pub(in crate::store) fn on_network(path: &Path) -> Option<&'static str> {
    kind(path).ok().flatten()
}

/// Refuses a path on a network file system unless that is allowed.
pub(super) fn check(path: &Path, allow_network: bool) -> Result<(), StoreError> {
    match kind(path)? {
        Some(kind) if !allow_network => Err(StoreError::NetworkFileSystem {
            path: path.to_owned(),
            kind,
        }),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn kind(path: &Path) -> Result<Option<&'static str>, StoreError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A link may lead elsewhere: what counts is where the file itself lies.
    let place = if path.exists() { path } else { folder };
    let facts = rustix::fs::statfs(place)
        .map_err(|error| StoreError::system(path.to_owned(), error.into()))?;
    // Magic numbers are 32 bits wide; the field's width and sign differ by machine.
    let magic = facts.f_type as u32;
    Ok(network_kind(magic))
}

#[cfg(not(target_os = "linux"))]
fn kind(_path: &Path) -> Result<Option<&'static str>, StoreError> {
    Ok(None)
}

/// Name of a network file system by its magic number (linux/magic.h and the
/// file systems' own headers); `None` for all others.
#[cfg(target_os = "linux")]
fn network_kind(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B => "SMB",
        0xFF53_4D42 => "CIFS",
        0xFE53_4D42 => "SMB 2 or newer",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564C => "NCP",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x7461_636F => "OCFS2",
        0x0116_1970 => "GFS2",
        0x786F_4256 => "VirtualBox shared folder",
        0x1983_0326 => "BeeGFS",
        0x2003_0528 => "OrangeFS",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_pass() {
        for magic in [0x6969, 0xFF53_4D42, 0x0102_1997, 0x6573_5546] {
            assert!(network_kind(magic).is_some(), "{magic:#x}");
        }
        // ext4, xfs, btrfs, tmpfs, overlayfs, zfs
        for magic in [
            0xEF53,
            0x5846_5342,
            0x9123_683E,
            0x0102_1994,
            0x794C_7630,
            0x2FC1_2FC1,
        ] {
            assert_eq!(network_kind(magic), None, "{magic:#x}");
        }
    }
}
