//! The chaos sink: an SMTP server that misbehaves on request and keeps an
//! honest journal of what it took, refused, or left without an answer.
//!
//! Two ways to steer it. Per reader, by the local part of the address
//! ([`script`]): `x450-2.anna@example.org` is refused twice at RCPT, then
//! served. For everyone, by rules per phase ([`behaviour`]), which a test may
//! change while the server runs.

pub(crate) mod behaviour;
mod gate;
pub(crate) mod journal;
mod script;
mod session;
pub(crate) mod tls;
mod wire;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use self::behaviour::{Behaviour, Phase, Rule};
use self::gate::Gate;
use self::journal::{Entry, Journal};
use self::tls::Keys;
use crate::harness::net::holds_within;
use crate::harness::receipt::{Fate, Receipt};

/// A running chaos sink; stopped when dropped.
pub(crate) struct ChaosSink {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
    world: TempDir,
}

/// What all sessions of one sink share.
struct Shared {
    behaviour: Mutex<Behaviour>,
    /// How often each word of each address's script was used.
    script_uses: Mutex<HashMap<(String, usize), u32>>,
    journal: Journal,
    gate: Gate,
    keeps_commands: bool,
    commands: Mutex<Vec<Heard>>,
    sessions: Mutex<HashMap<usize, TcpStream>>,
    most_at_once: AtomicUsize,
    stopping: AtomicBool,
    dead: AtomicBool,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// One command line a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Number of the connection, from 0.
    pub(crate) connection: usize,
    /// The line without its line end.
    pub(crate) line: String,
    /// Whether more came together with it, before it was answered.
    pub(crate) is_followed: bool,
}

impl ChaosSink {
    /// Starts a sink on a free loopback port.
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let world = tempfile::tempdir().unwrap();
        let tls = behaviour.encryption.needs_keys().then(|| {
            let keys = Keys::make(behaviour.identity);
            std::fs::write(world.path().join("ca.pem"), &keys.authority_pem).unwrap();
            keys.server
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script_uses: Mutex::default(),
            journal: Journal::create(world.path(), !behaviour.journal_only),
            keeps_commands: !behaviour.journal_only,
            gate: Gate::default(),
            commands: Mutex::default(),
            sessions: Mutex::default(),
            most_at_once: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            tls,
            behaviour: Mutex::new(behaviour),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            shared,
            port,
            acceptor: Some(acceptor),
            world,
        }
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The sink as a relay URL without TLS and login.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// The certificate authority that signed the sink's certificate; give it
    /// to a client as `SSL_CERT_FILE`. It exists only when TLS is on.
    pub(crate) fn authority(&self) -> PathBuf {
        self.world.path().join("ca.pem")
    }

    /// Changes the behaviour for everything that happens from now on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().unwrap());
    }

    /// Adds a rule for one phase.
    pub(crate) fn rule(&self, phase: Phase, rule: Rule) {
        self.change(|behaviour| behaviour.rules.push((phase, rule)));
    }

    /// Everything journalled so far, read back from the file.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.shared.journal.read()
    }

    /// The journal as evidence for the oracle.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.journal()
            .into_iter()
            .map(|entry| entry.receipt)
            .collect()
    }

    /// The receipts journalled since `place`, which moves on.
    pub(crate) fn receipts_since(&self, place: &mut u64) -> Vec<Receipt> {
        let entries = self.shared.journal.read_from(place);
        entries.into_iter().map(|entry| entry.receipt).collect()
    }

    /// Waits until every connection has ended: what a killed client had
    /// written is read and journalled then.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let gone = || self.shared.sessions.lock().unwrap().is_empty();
        assert!(
            holds_within(Duration::from_secs(60), gone),
            "connections of a dead client stay open"
        );
    }

    /// How many messages, times recipients, met this fate so far.
    pub(crate) fn count(&self, fate: Fate) -> usize {
        self.shared.journal.count(fate)
    }

    /// Waits until that many met this fate.
    #[track_caller]
    pub(crate) fn wait_for(&self, fate: Fate, number: usize) {
        let found = holds_within(Duration::from_secs(60), || self.count(fate) >= number);
        assert!(
            found,
            "waited for {number} {}, saw {}",
            fate.word(),
            self.count(fate)
        );
    }

    /// From now on no answer to a dot is given until [`ChaosSink::release`].
    pub(crate) fn hold_dots(&self) {
        self.shared.gate.close();
    }

    /// Waits until that many messages are read and wait for their answer.
    #[track_caller]
    pub(crate) fn wait_for_held(&self, number: usize) {
        let found = holds_within(Duration::from_secs(60), || {
            self.shared.gate.waiting() >= number
        });
        let held = self.shared.gate.waiting();
        assert!(found, "waited for {number} held messages, saw {held}");
    }

    /// Gives the held answers and holds no more.
    pub(crate) fn release(&self) {
        self.shared.gate.open();
    }

    /// Every command line heard so far, message text excluded.
    pub(crate) fn commands(&self) -> Vec<Heard> {
        self.shared.commands.lock().unwrap().clone()
    }

    /// How many command lines began with this verb.
    pub(crate) fn heard(&self, verb: &str) -> usize {
        let commands = self.shared.commands.lock().unwrap();
        let is_verb = |line: &str| {
            line.split([' ', ':'])
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(verb))
        };
        commands.iter().filter(|one| is_verb(&one.line)).count()
    }

    /// Connections taken so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.journal.connections()
    }

    /// The largest number of connections open at one time.
    pub(crate) fn most_connections(&self) -> usize {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }

    /// Dies as a relay does: cuts every connection and answers no new one until
    /// [`ChaosSink::revive`].
    pub(crate) fn die(&self) {
        self.shared.dead.store(true, Ordering::SeqCst);
        self.cut_all();
    }

    /// Answers again.
    pub(crate) fn revive(&self) {
        self.shared.dead.store(false, Ordering::SeqCst);
    }

    /// Cuts every open connection, as a restarted relay does.
    pub(crate) fn cut_all(&self) {
        for stream in self.shared.sessions.lock().unwrap().values() {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for ChaosSink {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.gate.open();
        self.cut_all();
        // Wakes the acceptor, which then sees that the sink is stopping.
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        drop(TcpStream::connect_timeout(&address, Duration::from_secs(1)));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if shared.dead.load(Ordering::SeqCst) {
            continue;
        }
        let number = shared.journal.next_connection();
        {
            let mut sessions = shared.sessions.lock().unwrap();
            sessions.insert(number, stream.try_clone().unwrap());
            shared
                .most_at_once
                .fetch_max(sessions.len(), Ordering::SeqCst);
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A broken connection ends a session; the journal has what counts.
            drop(session::serve(stream, number, &shared));
            shared.sessions.lock().unwrap().remove(&number);
        });
    }
}
