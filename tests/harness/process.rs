//! One run of the program: bounded in time, captured in full, and asserted on
//! with messages that show everything.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::net::holds_within;

/// A program that was started and may still run; killed when dropped.
pub(crate) struct Running {
    child: Child,
    command: String,
    stdout: Capture,
    stderr: Capture,
    limit: Duration,
    started: Instant,
}

/// What a program left behind.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// The command line as one would type it.
    pub(crate) command: String,
    status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// From start to end.
    pub(crate) took: Duration,
}

impl Running {
    /// Starts `command`; `limit` bounds every later wait for its end.
    #[track_caller]
    pub(crate) fn start(mut command: Command, stdin: &[u8], limit: Duration) -> Self {
        let line = describe(&command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
        let mut input = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // A program that ends before reading it all breaks this pipe: no fault.
        thread::spawn(move || drop(input.write_all(&stdin)));
        Self {
            command: line,
            stdout: Capture::of(child.stdout.take().unwrap()),
            stderr: Capture::of(child.stderr.take().unwrap()),
            child,
            limit,
            started: Instant::now(),
        }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal (`TERM`, `INT`, `CONT` …). After `STOP` it does stand still.
    #[track_caller]
    pub(crate) fn signal(&mut self, signal: Signal) {
        // Not reaped yet, so the id cannot belong to anybody else.
        if self.is_running() {
            let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }
        if signal == Signal::STOP {
            // On a busy machine it takes a while until a thread hears of it, and the
            // others go on until then.
            let stands = || !self.is_running() || self.stands_still();
            assert!(holds_within(Duration::from_secs(20), stands), "it goes on");
        }
    }

    /// Whether none of its threads can run (proc(5): stopped, traced, a zombie).
    fn stands_still(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid()));
        threads.into_iter().flatten().flatten().all(|thread| {
            let line = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The name before it may hold anything.
            let state = line
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.chars().next());
            matches!(state, None | Some('T' | 't' | 'Z' | 'X'))
        })
    }

    /// Waits until that signal does not simply end it: right after its start it does.
    #[track_caller]
    pub(crate) fn wait_until_it_heeds(&mut self, signal: Signal) {
        let heeds = || !self.is_running() || self.heeds(signal);
        assert!(holds_within(Duration::from_secs(20), heeds), "it does not");
    }

    /// Whether it has a handler for that signal (proc(5): `SigCgt`).
    fn heeds(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << (signal.as_raw() - 1)) != 0)
    }

    /// Kills it as `kill -9` does and hands back what it had printed.
    pub(crate) fn kill(mut self) -> Finished {
        drop(self.child.kill());
        self.finish()
    }

    /// Waits until standard error contains `text`.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, text: &str) {
        let found = holds_within(self.limit, || self.stderr.so_far().contains(text));
        assert!(
            found,
            "`{}` never said {text:?} on stderr\n{}",
            self.command,
            self.printed()
        );
    }

    /// Waits for a whole line on standard output, and hands back the first.
    #[track_caller]
    pub(crate) fn first_line(&mut self) -> String {
        let found = holds_within(self.limit, || self.stdout.so_far().contains('\n'));
        let printed = self.printed();
        assert!(found, "`{}` printed no line\n{printed}", self.command);
        let line = self.stdout.so_far();
        line.lines().next().unwrap_or_default().to_owned()
    }

    /// Waits for its end; one that outlives its limit is killed and fails.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Finished {
        let left = self.limit.saturating_sub(self.started.elapsed());
        if holds_within(left, || self.child.try_wait().unwrap().is_some()) {
            return self.finish();
        }
        drop(self.child.kill());
        drop(self.child.wait());
        panic!(
            "`{}` still ran after {:?} and was killed\n{}",
            self.command,
            self.limit,
            self.printed()
        );
    }

    fn finish(mut self) -> Finished {
        let status = self.child.wait().unwrap();
        Finished {
            command: std::mem::take(&mut self.command),
            status,
            took: self.started.elapsed(),
            stdout: self.stdout.read_to_end(),
            stderr: self.stderr.read_to_end(),
        }
    }

    fn printed(&self) -> String {
        let (stdout, stderr) = (self.stdout.so_far(), self.stderr.so_far());
        format!("--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Finished {
    /// The exit code; `None` when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The number of the signal that ended it.
    pub(crate) fn killed_by(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code(), Some(code), "wrong exit code\n{self}");
        self
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub(crate) fn succeeds(&self) -> &Self {
        self.exits(0)
    }

    /// Asserts that standard output contains `text`.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "stdout lacks {text:?}\n{self}");
        self
    }

    /// Asserts that standard error contains `text`.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}\n{self}");
        self
    }

    /// Asserts that neither stream contains `text`.
    #[track_caller]
    pub(crate) fn conceals(&self, text: &str) -> &Self {
        let shown = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(!shown, "output must not contain {text:?}\n{self}");
        self
    }

    /// Asserts that it printed nothing at all.
    #[track_caller]
    pub(crate) fn is_silent(&self) -> &Self {
        let silent = self.stdout.is_empty() && self.stderr.is_empty();
        assert!(silent, "expected no output\n{self}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.command)?;
        writeln!(f, "{} after {:?}", self.status, self.took)?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)
    }
}

/// Collects a stream on its own thread, so that a full pipe never blocks the
/// program and its output is there even when it has to be killed.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0_u8; 8192];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Everything, once the program has ended. A grandchild may keep the pipe
    /// open after it: that must not hold up the test.
    fn read_to_end(&mut self) -> String {
        if let Some(reader) = self.reader.take()
            && holds_within(Duration::from_secs(2), || reader.is_finished())
        {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
