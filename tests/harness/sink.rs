//! Debian's `smtp-sink`: a real, fast server for volume and for faults that
//! hit a whole phase (`-f`, `-r`, `-q`, `-Q`, `-M`, `-W`; see smtp-sink(1)).
//!
//! It stores a message when it has read its last dot and before it decides on
//! the answer. With `-f .`, `-r .`, `-q .` or `-Q .` a stored message was
//! therefore *not* accepted; for those faults use [`crate::harness::chaos`],
//! which journals its answers.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::net::{answers, free_port, holds_within};
use crate::harness::receipt::{Fate, Receipt};
use crate::harness::tools::program;

/// Stands before every stored message, and in no mail.
const START: u8 = 0o1;

/// A running `smtp-sink`; stopped when dropped.
pub(crate) struct SmtpSink {
    child: Child,
    port: u16,
    world: TempDir,
    arguments: Vec<String>,
}

/// One stored message.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Envelope sender, without brackets.
    pub(crate) sender: String,
    /// Envelope recipients, without brackets, in their order.
    pub(crate) recipients: Vec<String>,
    /// The message; `smtp-sink` stores lines with a bare LF.
    pub(crate) data: Vec<u8>,
}

impl SmtpSink {
    /// Starts a sink on a free loopback port and waits until it answers.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let world = tempfile::tempdir().unwrap();
        let dump = world.path().join("dump");
        fs::create_dir(&dump).unwrap();
        // As root the sink insists on stepping down to another account (`-u`),
        // which must still be able to write here.
        fs::set_permissions(world.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&dump, fs::Permissions::from_mode(0o777)).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();

        // Another process may take the port between the choice and the bind.
        for _ in 0..5 {
            let port = free_port();
            if let Some(child) = launch(world.path(), port, &arguments) {
                return Self {
                    child,
                    port,
                    world,
                    arguments,
                };
            }
        }
        panic!("smtp-sink {arguments:?} did not start; see its message above");
    }

    /// Starts the sink again on its port after it ended (`-M`) or was killed,
    /// with other arguments if given. What it stored stays.
    pub(crate) fn restart(&mut self, arguments: Option<&[&str]>) {
        self.kill();
        if let Some(arguments) = arguments {
            self.arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        }
        self.child = launch(self.world.path(), self.port, &self.arguments)
            .unwrap_or_else(|| panic!("smtp-sink did not start again on port {}", self.port));
    }

    /// Ends the sink at once, as a dying relay would.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        self.child.wait().unwrap();
    }

    /// Whether the process still runs (`-M n` ends it at the n-th message).
    ///
    /// # Panics
    /// When it gave up for a reason of its own.
    #[track_caller]
    pub(crate) fn is_running(&mut self) -> bool {
        let Some(status) = self.child.try_wait().unwrap() else {
            return true;
        };
        assert!(
            status.success(),
            "smtp-sink: {status}; its message is above"
        );
        false
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The sink as a relay URL for `[mail] relay`.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// Everything stored so far, sorted by recipients.
    pub(crate) fn messages(&self) -> Vec<Stored> {
        let stored = match fs::read(self.world.path().join("dump/all")) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.unwrap(),
        };
        let mut messages: Vec<Stored> = stored
            .split(|byte| *byte == START)
            .filter(|one| !one.is_empty())
            .map(parse)
            .collect();
        messages.sort_by(|a, b| a.recipients.cmp(&b.recipients));
        messages
    }

    /// One receipt per stored message and recipient, as accepted.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.messages()
            .iter()
            .flat_map(|message| {
                message
                    .recipients
                    .iter()
                    .map(|recipient| Receipt::of(Fate::Accepted, recipient, &message.data))
            })
            .collect()
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A sink that answers on `port`, or `None` when the process gave up.
fn launch(world: &Path, port: u16, arguments: &[String]) -> Option<Child> {
    let mut command = Command::new(program("smtp-sink"));
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "postfix"]);
    }
    let mut child = command
        .args(arguments)
        // `-D` appends whole messages only; files of `-d` are there from MAIL
        // on, and stay as they are when the sink ends.
        .arg("-D")
        .arg(world.join("dump/all"))
        .args(["-S", &format!("\\{START:03o}")])
        .arg(format!("127.0.0.1:{port}"))
        .arg("512")
        .current_dir(world)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let up = holds_within(Duration::from_secs(10), || {
        child.try_wait().unwrap().is_some() || answers(port)
    });
    if up && child.try_wait().unwrap().is_none() {
        return Some(child);
    }
    drop(child.kill());
    child.wait().unwrap();
    None
}

/// Takes the sink's own header block off: it ends with a three-line `Received`.
fn parse(file: &[u8]) -> Stored {
    let mut message = Stored {
        sender: String::new(),
        recipients: Vec::new(),
        data: Vec::new(),
    };
    let mut rest = file;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        if let Some(arguments) = line.strip_prefix("X-Mail-Args: ") {
            message.sender = path(arguments);
        } else if let Some(arguments) = line.strip_prefix("X-Rcpt-Args: ") {
            message.recipients.push(path(arguments));
        } else if line.starts_with("Received: ") {
            break;
        }
    }
    for _ in 0..2 {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    let data = rest.strip_suffix(b"\n");
    message.data = data.expect("it ends with an empty line").to_vec();
    message
}

/// `<anna@example.org> SIZE=…` → `anna@example.org`.
fn path(arguments: &str) -> String {
    arguments
        .trim_start_matches('<')
        .split('>')
        .next()
        .unwrap_or_default()
        .to_owned()
}
