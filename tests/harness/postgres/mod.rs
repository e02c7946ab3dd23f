//! A real PostgreSQL on a free loopback port, with its data in a temporary
//! folder; the machine's own clusters are left alone. Tests share one server
//! and have a database each; who stops, crashes or promotes takes its own.
//!
//! The contract suite of the ledger can include this folder, too, by `#[path]`:
//! it uses nothing of the harness but `net`, which must stand beside it.

mod database;
pub(crate) mod keeper;
pub(crate) mod standby;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) use self::database::Database;
use self::keeper::Keeper;
use super::net::{free_port, holds_within};

/// Who it runs as where the tests run as root, which it refuses (`nobody`).
const ACCOUNT: u32 = 65_534;

/// The role that owns the databases of tests; it has no special rights.
pub(crate) const ROLE: &str = "letterpress";

/// The server of every test of this process that needs no other. It is never
/// dropped: its keeper ends it when the process has ended.
static SHARED: LazyLock<Server> = LazyLock::new(|| Server::start(&Options::default()));

/// A new, empty database on the server that tests share.
pub(crate) fn database() -> Database {
    SHARED.database()
}

/// What a server of a test's own shall do differently.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Lines for `postgresql.conf`: `("fsync", "off")`.
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    /// Leave its folder behind as evidence when the process ends early.
    pub(crate) is_kept: bool,
}

/// How a server is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// In order: clients are cut off, everything is written.
    Fast,
    /// At once, as after a loss of power; the next start recovers.
    Immediate,
}

/// The processes of a server that is held up.
pub(crate) struct Paused(Vec<u32>);

impl Paused {
    fn signal(&self, signal: Signal) {
        for process in &self.0 {
            let process = i32::try_from(*process).ok().and_then(Pid::from_raw);
            // One may have ended by itself.
            let _ = kill_process(process.unwrap(), signal);
        }
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}

/// A PostgreSQL server; ended, and its folder removed, when dropped.
pub(crate) struct Server {
    // Before the folder: it is dropped first, and ends who writes there.
    keeper: Option<Keeper>,
    world: TempDir,
    port: u16,
    options: Options,
    databases: AtomicUsize,
}

impl Server {
    /// Makes a cluster, starts it on a free port, waits until it answers.
    pub(crate) fn start(options: &Options) -> Self {
        let server = Self::with_folder(options, free_port());
        let data = server.data();
        let arguments = ["--no-sync", "--wal-segsize=1", "--no-instructions"];
        let made = as_account(program("initdb"))
            .args(arguments)
            .args(["--auth=trust", "--username=postgres"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        succeeds("initdb", &made);
        let server = server.launched();
        server.execute(&format!("CREATE ROLE {ROLE} LOGIN"));
        server
    }

    fn with_folder(options: &Options, port: u16) -> Self {
        Self {
            keeper: None,
            world: folder(),
            port,
            options: options.clone(),
            databases: AtomicUsize::new(0),
        }
    }

    /// Starts what lies in its folder for the first time.
    fn launched(mut self) -> Self {
        // Another process may take the port between the choice and the bind.
        for _ in 0..5 {
            if self.is_up() {
                return self;
            }
            eprintln!("PostgreSQL did not start:\n{}", self.log());
            self.port = free_port();
        }
        panic!("PostgreSQL did not start; its log is above");
    }

    /// Starts it again after [`Server::stop`], on the same port and data.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        let up = self.is_up();
        assert!(up, "PostgreSQL did not come back:\n{}", self.log());
    }

    /// Ends it, and comes back when it has ended.
    #[track_caller]
    pub(crate) fn stop(&mut self, how: Stop) {
        let mode = match how {
            Stop::Fast => "--mode=fast",
            Stop::Immediate => "--mode=immediate",
        };
        self.control(&["stop", "--wait", mode]);
        let keeper = self.keeper.take().expect("it runs");
        keeper.leave_the_folder();
    }

    /// Sets a line of `postgresql.conf` for the next start, or for now with
    /// [`Server::reload`].
    pub(crate) fn set(&mut self, name: &'static str, value: &'static str) {
        self.options.settings.retain(|(known, _)| *known != name);
        self.options.settings.push((name, value));
        self.write_settings();
    }

    /// Holds every process of it up: it lets in and says nothing, until what is
    /// returned is dropped.
    #[track_caller]
    pub(crate) fn paused(&self) -> Paused {
        let postmaster = self.keeper.as_ref().expect("it runs").server();
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = fs::read_to_string(children).unwrap();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        // The first of them first: it would start others.
        let paused = Paused(std::iter::once(postmaster).chain(children).collect());
        paused.signal(Signal::STOP);
        paused
    }

    /// Has it read its settings again.
    pub(crate) fn reload(&self) {
        self.control(&["reload"]);
    }

    /// Lets nobody in as [`ROLE`] any more without this password.
    pub(crate) fn ask_for(&self, password: &str) {
        self.execute(&format!("ALTER ROLE {ROLE} PASSWORD '{password}'"));
        let rules = format!(
            "host all {ROLE} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        );
        fs::write(self.data().join("pg_hba.conf"), rules).unwrap();
        self.reload();
    }

    /// A new, empty database that belongs to [`ROLE`].
    #[track_caller]
    pub(crate) fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        Database::create(self.port, format!("press_{number}"))
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Runs a statement as the superuser, outside of any database of a test.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        database::psql(self.port, "postgres", "postgres", sql);
    }

    /// As if whoever started it had been killed: nobody tells the keeper
    /// anything, its pipe just closes. What must be gone soon after: the id of
    /// the process, and the folder.
    pub(crate) fn abandon(mut self) -> (u32, PathBuf) {
        let keeper = self.keeper.take().expect("it runs");
        let gone = (keeper.server(), self.data());
        keeper.abandon();
        // Its removal is the keeper's business now.
        self.world.disable_cleanup(true);
        gone
    }

    fn is_up(&mut self) -> bool {
        self.write_settings();
        let data = self.data();
        let server = program("postgres");
        let words = [server.as_os_str(), "-D".as_ref(), data.as_os_str()];
        let keeper = Keeper::start(&words, "QUIT", self.world.path(), self.options.is_kept);
        // The server writes `ready` there when it takes connections.
        let status = data.join("postmaster.pid");
        let is_ready = || {
            let text = fs::read_to_string(&status).unwrap_or_default();
            text.lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
        };
        let mut ready = false;
        holds_within(Duration::from_secs(60), || {
            ready = is_ready();
            ready || !keeper.server_lives()
        });
        if ready {
            self.keeper = Some(keeper);
        } else {
            keeper.leave_the_folder();
        }
        ready
    }

    fn write_settings(&self) {
        let port = self.port.to_string();
        let fixed = [
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("log_line_prefix", "%m [%p] %q%u@%d/%a "),
        ];
        let own = self.options.settings.iter().copied();
        let lines: String = fixed
            .into_iter()
            .chain(own)
            .map(|(name, value)| format!("{name} = '{value}'\n"))
            .collect();
        // Read last, and the last one counts.
        let main = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&main).unwrap();
        let include = "include = 'test.conf'\n";
        if !text.contains(include) {
            text.push_str(include);
            fs::write(&main, text).unwrap();
        }
        fs::write(self.data().join("test.conf"), lines).unwrap();
    }

    #[track_caller]
    fn control(&self, words: &[&str]) {
        let mut command = as_account(program("pg_ctl"));
        command.args(words).arg("--pgdata").arg(self.data());
        succeeds("pg_ctl", &command.output().unwrap());
    }

    fn data(&self) -> PathBuf {
        self.world.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.world.path().join("log")
    }
}

/// A temporary folder of the account that servers run as.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        chown(folder.path(), Some(ACCOUNT), Some(ACCOUNT)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// A program of the newest PostgreSQL that Debian has put on this machine.
///
/// # Panics
/// When there is none.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql");
    let versions = versions.into_iter().flatten().filter_map(Result::ok);
    versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .max_by_key(|path| version_of(path))
        .unwrap_or_else(|| panic!("no PostgreSQL with `{name}`; `tests/run` installs it (as root)"))
}

/// `/usr/lib/postgresql/15/bin/psql` → 15.
fn version_of(path: &Path) -> u32 {
    let folder = path.ancestors().nth(2).and_then(Path::file_name);
    let name = folder.and_then(|name| name.to_str()).unwrap_or_default();
    name.parse().unwrap_or(0)
}

/// A command with no environment and no rights over this machine.
pub(crate) fn as_account(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TZ", "UTC")
        .current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(ACCOUNT).gid(ACCOUNT);
    }
    command
}

#[track_caller]
fn succeeds(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{said}", output.status);
}
