//! Whoever started a server may be killed before it could end it. A shell that
//! stands between the two sees its pipe close then, and tidies up.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, test_kill_process};

use super::as_account;

/// Starts the server, says its id, and waits for a word. The word is `stay`
/// when the folder is to be left; an end without any word removes it.
const SCRIPT: &str = r#"
world=$1 end=$2 signal=$3
shift 3
"$@" >>"$world/log" 2>&1 </dev/null &
server=$!
echo "$server"
exec >&-
read -r word
kill -"$signal" "$server" 2>/dev/null
wait "$server"
if [ "$word" != stay ] && [ "$end" != kept ]; then
    rm -rf "$world"/*
    rmdir "$world" 2>/dev/null
fi
exit 0
"#;

/// The shell, with the server as its child.
pub(crate) struct Keeper {
    shell: Child,
    server: u32,
}

impl Keeper {
    /// Has a shell start this server, whose log is `world/log`, and end it with
    /// `signal` (`QUIT`) in the end.
    pub(crate) fn start(server: &[&OsStr], signal: &str, world: &Path, is_kept: bool) -> Self {
        let mut shell = as_account("/bin/sh")
            .args(["-c", SCRIPT, "keeper"])
            .arg(world)
            .arg(if is_kept { "kept" } else { "removed" })
            .arg(signal)
            .args(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // An interrupt from the keyboard is for the tests, not for it.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = shell.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        Self {
            shell,
            server: line.trim().parse().expect("the shell says an id"),
        }
    }

    /// The process id of the server.
    pub(crate) fn server(&self) -> u32 {
        self.server
    }

    /// Whether the server has not ended; its keeper has not reaped it yet.
    pub(crate) fn server_lives(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server));
        stat.is_ok_and(|text| !text.contains(") Z "))
    }

    /// Ends the server if it still runs, and leaves its folder.
    pub(crate) fn leave_the_folder(mut self) {
        let mut pipe = self.shell.stdin.take().unwrap();
        pipe.write_all(b"stay\n").unwrap();
        self.shell.wait().unwrap();
    }

    /// Closes the pipe without a word.
    pub(crate) fn abandon(mut self) {
        drop(self.shell.stdin.take());
        // Reaped, or the test would see it as a process that still is.
        std::thread::spawn(move || self.shell.wait());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Comes back when server and folder are gone.
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}

/// Whether a process with this id exists.
pub(crate) fn exists(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process).is_ok())
}
