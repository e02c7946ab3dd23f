//! A run as `strace` saw it, played back: which bytes were on stable storage
//! at any moment, and which messages had left by then.

mod calls;
mod conversation;
mod machine;

use std::path::{Path, PathBuf};

use crate::harness::press::Press;
use crate::harness::process::Finished;

pub(crate) use calls::{Event, Moment, events};
pub(crate) use machine::{Image, Machine};

/// Everything that changes a file, and everything that is said to a relay.
const TRACED: &str = "trace=openat,open,creat,close,fcntl,dup,dup2,dup3,read,write,writev,\
    pwrite64,pwritev,lseek,ftruncate,fallocate,copy_file_range,fsync,fdatasync,rename,renameat,\
    renameat2,unlink,unlinkat,link,linkat,connect,sendto,sendmsg,recvfrom";

/// A traced run.
pub(crate) struct Recording {
    /// The trace; outside the publication.
    pub(crate) trace: PathBuf,
    /// The publication as it was before the run.
    pub(crate) before: PathBuf,
    world: tempfile::TempDir,
}

impl Recording {
    /// Runs the program under `strace`. `inject` is handed to it: `fsync:retval=0`
    /// is a disk that lies.
    pub(crate) fn of(press: &Press, inject: Option<&str>) -> (Self, Finished) {
        let world = tempfile::tempdir().unwrap();
        let before = world.path().join("before");
        copy_tree(press.dir(), &before);
        let trace = world.path().join("trace");
        let place = trace.to_string_lossy().into_owned();
        let mut wrapper = vec![
            "strace", "-f", "-qq", "-s", "10000000", "-o", &place, "-e", TRACED,
        ];
        let inject = inject.map(|what| format!("inject={what}"));
        if let Some(inject) = &inject {
            wrapper.extend(["-e", inject]);
        }
        let end = press.spawn_under(&wrapper, &["run"]).wait();
        let recording = Self {
            trace,
            before,
            world,
        };
        (recording, end)
    }

    /// A machine as it stood before the run, and the events that follow.
    pub(crate) fn machine(&self, press: &Press, port: u16) -> Machine {
        Machine::new(press.dir(), &self.before, port)
    }
}

/// Copies a folder with everything in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let place = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&place).unwrap();
        } else {
            std::fs::copy(entry.path(), &place).unwrap();
        }
    }
}
