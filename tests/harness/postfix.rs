//! A real Postfix with its own configuration, queue and mailboxes in a
//! temporary directory. It listens on loopback only, delivers to Maildirs
//! only, never looks a name up, and leaves the machine's own Postfix alone.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::harness::net::{answers, free_port, holds_within};
use crate::harness::receipt::{Fate, Receipt};
use crate::harness::tools::program;

/// The account the mailboxes belong to (`nobody`).
const MAILBOX_OWNER: u32 = 65_534;

/// Who has a mailbox; every other recipient is refused as unknown (550 5.1.1).
#[derive(Clone, Debug, Default)]
pub(crate) enum Mailboxes {
    /// Every address at example.org, example.com and example.net.
    #[default]
    Everyone,
    /// Only these addresses, each with a Maildir of its own.
    Only(Vec<String>),
}

/// What this Postfix shall do differently.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Who has a mailbox.
    pub(crate) mailboxes: Mailboxes,
    /// An answer per recipient: `("anna@example.org", "450 4.2.1 busy")`.
    pub(crate) access: Vec<(String, String)>,
    /// Where mail for an address goes instead: `("a@example.org", "error:5.1.1 gone")`.
    pub(crate) transport: Vec<(String, String)>,
    /// `message_size_limit` in bytes.
    pub(crate) message_size_limit: Option<u64>,
    /// More lines for `main.cf`.
    pub(crate) main_cf: Vec<String>,
    /// More lines for `master.cf`.
    pub(crate) master_cf: Vec<String>,
}

/// A running Postfix; stopped when dropped.
pub(crate) struct Postfix {
    world: TempDir,
    port: u16,
}

/// A message in a Maildir.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    /// The address it was delivered for, from `Delivered-To`.
    pub(crate) recipient: String,
    /// The envelope sender, from `Return-Path`.
    pub(crate) sender: String,
    /// What Postfix wrote on accepting it: queue id and time, among others.
    acceptance: String,
    /// The whole file: Postfix's own trace headers, then the message.
    pub(crate) data: Vec<u8>,
}

impl Postfix {
    /// Writes a configuration on a free port, starts it, waits until it answers.
    ///
    /// # Panics
    /// When not run as root, which Postfix needs to keep its parts apart.
    pub(crate) fn start(options: &Options) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "Postfix starts only as root; run the tests as root in a container"
        );
        // Another process may take the port between the choice and the bind.
        for _ in 0..5 {
            if let Some(postfix) = Self::try_on(free_port(), options) {
                return postfix;
            }
        }
        panic!("Postfix did not start; its logs are above");
    }

    /// The same on a port that others were told of before.
    pub(crate) fn start_on(port: u16, options: &Options) -> Self {
        Self::try_on(port, options).expect("Postfix did not start; its log is above")
    }

    fn try_on(port: u16, options: &Options) -> Option<Self> {
        let postfix = Self {
            world: tempfile::tempdir().unwrap(),
            port,
        };
        postfix.write_files(options);
        postfix.launch();
        if holds_within(Duration::from_secs(20), || answers(postfix.port)) {
            return Some(postfix);
        }
        eprintln!("Postfix did not answer; its log:\n{}", postfix.log());
        None
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// This Postfix as a relay URL for `[mail] relay`.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.path("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The file it logs to.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.path("log")
    }

    /// Kills every process of it at once; mail in its queue stays there. What
    /// it had logged is in the log, as where another program writes that down.
    pub(crate) fn kill(&self) {
        self.freeze();
        self.end(Signal::KILL);
    }

    /// Stops it as its operator would.
    pub(crate) fn stop(&self) {
        let output = self.command("stop");
        assert!(
            output.status.success(),
            "`postfix stop` failed: {}\n{}",
            output.status,
            self.log()
        );
    }

    /// Starts it again after [`Postfix::kill`] or [`Postfix::stop`], on the
    /// same port and queue.
    pub(crate) fn restart(&self) {
        self.launch();
        let up = holds_within(Duration::from_secs(20), || answers(self.port));
        assert!(up, "Postfix did not come back; its log:\n{}", self.log());
    }

    /// The Maildir of an address, or of a whole domain (`@example.org`), with
    /// [`Mailboxes::Only`].
    pub(crate) fn maildir(&self, address: &str) -> PathBuf {
        let (local, domain) = address.rsplit_once('@').unwrap();
        self.path("mail").join(domain).join(local)
    }

    /// Where new mail for everyone lies ([`Mailboxes::Everyone`]).
    pub(crate) fn mailbox(&self) -> PathBuf {
        self.path("mail/everyone/new")
    }

    /// Every message that it accepted and put into a Maildir, sorted by recipient.
    ///
    /// A Postfix that is killed when it has delivered and not yet said so to its
    /// queue manager delivers once more. Such copies come from one acceptance, as
    /// their trace shows, and count once; whatever it was handed twice counts twice.
    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        let mut messages: Vec<Delivered> = walkdir::WalkDir::new(self.path("mail"))
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .filter(|entry| {
                entry
                    .path()
                    .parent()
                    .is_some_and(|dir| dir.ends_with("new"))
            })
            .map(|entry| Delivered::from_file(fs::read(entry.path()).unwrap()))
            .collect();
        let key = |one: &Delivered| (one.recipient.clone(), one.acceptance.clone());
        messages.sort_by_cached_key(key);
        messages.dedup_by_key(|one| key(one));
        messages
    }

    /// Waits until nothing is left in the queue, then as [`Postfix::delivered`].
    #[track_caller]
    pub(crate) fn all_delivered(&self) -> Vec<Delivered> {
        let empty = holds_within(Duration::from_secs(60), || self.queue_files() == 0);
        assert!(empty, "mail stays in the queue; the log:\n{}", self.log());
        self.delivered()
    }

    /// One receipt per message that it accepted and delivered, for the oracle.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.all_delivered()
            .iter()
            .map(|one| Receipt::of(Fate::Accepted, &one.recipient, &one.data))
            .collect()
    }

    fn queue_files(&self) -> usize {
        ["maildrop", "incoming", "active", "deferred"]
            .iter()
            .flat_map(|queue| walkdir::WalkDir::new(self.path("queue").join(queue)))
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            // What was cut off by a kill stays behind, not executable, and is
            // no mail: Postfix removes it some days later.
            .filter(|entry| {
                let mode = entry.metadata().map(|data| data.permissions().mode());
                mode.is_ok_and(|mode| mode & 0o100 != 0)
            })
            .count()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.path().join(name)
    }

    fn write_files(&self, options: &Options) {
        // Postfix's own account must get through to queue and mailboxes.
        fs::set_permissions(self.world.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["conf", "queue", "data", "mail"] {
            fs::create_dir(self.path(name)).unwrap();
        }
        chown(self.path("mail"), Some(MAILBOX_OWNER), Some(MAILBOX_OWNER)).unwrap();
        // After a kill its own tools look through the queue as that account,
        // and what they find they log by themselves.
        fs::write(self.path("log"), "").unwrap();
        fs::set_permissions(self.path("log"), fs::Permissions::from_mode(0o666)).unwrap();
        let owner = account_id("postfix");
        chown(self.path("data"), Some(owner), None).unwrap();

        let mut boxes = String::new();
        if let Mailboxes::Only(addresses) = &options.mailboxes {
            for address in addresses {
                let (local, domain) = address.rsplit_once('@').unwrap();
                writeln!(boxes, "{address} {domain}/{local}/").unwrap();
            }
        }
        let mut access = String::new();
        for (address, answer) in &options.access {
            writeln!(access, "{address} {answer}").unwrap();
        }
        fs::write(self.path("conf/mailboxes"), boxes).unwrap();
        fs::write(self.path("conf/access"), access).unwrap();
        let mut transport = String::new();
        for (address, place) in &options.transport {
            writeln!(transport, "{address} {place}").unwrap();
        }
        fs::write(self.path("conf/transport"), transport).unwrap();
        let mut master = MASTER_CF.replace("@port@", &self.port.to_string());
        for line in &options.master_cf {
            writeln!(master, "{line}").unwrap();
        }
        fs::write(self.path("conf/master.cf"), master).unwrap();
        fs::write(self.path("conf/main.cf"), self.main_cf(options)).unwrap();
    }

    fn main_cf(&self, options: &Options) -> String {
        // One shared Maildir for everyone: virtual(8) refuses maps that build
        // a path out of the address. Delivered-To tells the readers apart.
        let mailboxes = match options.mailboxes {
            Mailboxes::Everyone => "static:everyone/",
            Mailboxes::Only(_) => "texthash:@world@/conf/mailboxes",
        };
        let mut text = MAIN_CF.replace("@mailboxes@", mailboxes);
        if let Some(bytes) = options.message_size_limit {
            writeln!(text, "message_size_limit = {bytes}").unwrap();
        }
        for line in &options.main_cf {
            text = without(&text, line.split('=').next().unwrap_or_default());
            writeln!(text, "{line}").unwrap();
        }
        text.replace("@world@", &self.world.path().to_string_lossy())
            .replace("@port@", &self.port.to_string())
    }

    fn command(&self, verb: &str) -> Output {
        Command::new(program("postfix"))
            .arg("-c")
            .arg(self.path("conf"))
            .arg(verb)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .unwrap()
    }

    fn launch(&self) {
        let output = self.command("start");
        assert!(
            output.status.success(),
            "`postfix start` failed: {}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
    }

    /// Halts every process but the one that writes the log, and waits until
    /// that one has nothing left to write.
    fn freeze(&self) {
        let Some(master) = self.master() else { return };
        if !is_ours(master, self.world.path()) {
            return;
        }
        // The master first: after that nothing new is started.
        // Failing means that it is gone: nothing is left to halt.
        let _ = kill_process(master, Signal::STOP);
        let (writers, others): (Vec<_>, Vec<_>) = group(master)
            .into_iter()
            .partition(|process| process.is_named("postlogd"));
        for other in others {
            let _ = kill_process(other.pid, Signal::STOP);
        }
        // One that sleeps has read everything; a look may fall between two lines.
        for _ in 0..5 {
            let idle = || writers.iter().all(Process::sleeps);
            let written = holds_within(Duration::from_secs(10), idle);
            assert!(written, "postlogd does not come to rest");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its master process, which leads a process group of its own.
    fn master(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.path("queue/pid/master.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    fn end(&self, signal: Signal) {
        let Some(master) = self.master() else { return };
        if !is_ours(master, self.world.path()) {
            return;
        }
        // Failing means that it has gone by itself: that is what we want.
        let sent = match signal {
            Signal::KILL => kill_process_group(master, signal),
            _ => kill_process(master, signal),
        };
        let gone = sent.is_err()
            || holds_within(Duration::from_secs(10), || {
                // A child may hold the port a moment longer than its master lives.
                !is_ours(master, self.world.path()) && !answers(self.port)
            });
        if !gone && let Err(error) = kill_process_group(master, Signal::KILL) {
            eprintln!("Postfix {master:?} does not end: {error}");
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.end(Signal::TERM);
    }
}

impl Delivered {
    fn from_file(data: Vec<u8>) -> Self {
        let head = String::from_utf8_lossy(&data).into_owned();
        let value = |name: &str| {
            head.lines()
                .take_while(|line| !line.is_empty())
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().trim_matches(['<', '>']).to_owned())
                .unwrap_or_default()
        };
        Self {
            recipient: value("Delivered-To:"),
            sender: value("Return-Path:"),
            acceptance: trace(&head),
            data,
        }
    }
}

/// `main.cf` without a setting and the lines that go on with it. Each process of
/// Postfix complains of a setting that is there twice; the one that writes the
/// log does so to itself, and can wait for itself for ever.
fn without(main_cf: &str, name: &str) -> String {
    let mut kept = String::new();
    let mut is_dropped = false;
    for line in main_cf.lines() {
        if !line.starts_with([' ', '\t', '#']) {
            is_dropped = line.split('=').next() == Some(name);
        }
        if !is_dropped {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The first `Received` of a message, in all its lines.
fn trace(head: &str) -> String {
    let mut lines = head
        .lines()
        .skip_while(|line| !line.starts_with("Received:"));
    let first = lines.next().expect("Postfix leaves a trace");
    let more = lines.take_while(|line| line.starts_with(['\t', ' ']));
    std::iter::once(first).chain(more).collect()
}

/// A process, as `/proc/<pid>/stat` shows it.
struct Process {
    pid: Pid,
    name: String,
    state: String,
    group: String,
}

impl Process {
    fn read(directory: &Path) -> Option<Self> {
        let pid = directory.file_name()?.to_str()?.parse().ok()?;
        let text = fs::read_to_string(directory.join("stat")).ok()?;
        let (head, rest) = text.rsplit_once(") ")?;
        let mut fields = rest.split(' ').map(str::to_owned);
        Some(Self {
            pid: Pid::from_raw(pid)?,
            name: head.split_once('(')?.1.to_owned(),
            state: fields.next()?,
            group: fields.nth(1)?,
        })
    }

    fn is_named(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether it waits for something to do, or is no more.
    fn sleeps(&self) -> bool {
        let directory = Path::new("/proc").join(self.pid.as_raw_nonzero().to_string());
        Self::read(&directory).is_none_or(|now| now.state == "S")
    }
}

/// Everybody in the process group of this leader.
fn group(leader: Pid) -> Vec<Process> {
    let leader = leader.as_raw_nonzero().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Process::read(&entry.ok()?.path()))
        .filter(|process| process.group == leader)
        .collect()
}

/// Whether this process still is the master of the Postfix in `world`: an id
/// may have gone to a stranger since the pid file was written.
fn is_ours(pid: Pid, world: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    // A dead child nobody has collected yet has no directory to read.
    fs::read_link(process.join("cwd")).is_ok_and(|directory| directory.starts_with(world))
}

fn account_id(name: &str) -> u32 {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == name)
        .unwrap_or_else(|| panic!("no account `{name}`; `tests/run` installs postfix"))[2]
        .parse()
        .unwrap()
}

const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = @world@/queue
data_directory = @world@/data
maillog_file = @world@/log
maillog_file_prefixes = @world@
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay-@port@.example.net
mydomain = example.net
myorigin = example.net
mydestination =
mynetworks = 127.0.0.0/8
# No name is ever looked up and nothing ever leaves this machine.
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
default_transport = error:no outbound mail
relay_transport = error:no outbound mail
transport_maps = texthash:@world@/conf/transport
local_transport = error:no local mail
virtual_mailbox_domains = example.org example.com example.net
virtual_mailbox_base = @world@/mail
virtual_mailbox_maps = @mailboxes@
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_alias_maps =
alias_maps =
alias_database =
local_recipient_maps =
relay_domains =
fast_flush_domains =
notify_classes =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
    check_recipient_access texthash:@world@/conf/access, permit_mynetworks, reject
smtpd_tls_security_level = none
# Do not slow a fast client down; a test that wants it sets it.
in_flow_delay = 0
smtpd_error_sleep_time = 0
";

const MASTER_CF: &str = "\
127.0.0.1:@port@ inet n - n - - smtpd
pickup    unix  n - n 60   1 pickup
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
verify    unix  - - n -    1 verify
proxymap  unix  - - n -    - proxymap
showq     unix  n - n -    - showq
error     unix  - - n -    - error
retry     unix  - - n -    - error
smtp      unix  - - n -    - smtp
discard   unix  - - n -    - discard
virtual   unix  - n n -    - virtual
anvil     unix  - - n -    1 anvil
postlog   unix-dgram n - n - 1 postlogd
";
