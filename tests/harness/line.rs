//! A bad line between the program and a relay: a TCP proxy that is slow, loses
//! packets (which TCP sends again, later), or goes silent without a word.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What TCP carries in one packet on most lines.
const PACKET: usize = 1400;
/// How long TCP waits before it sends a lost packet again.
const AGAIN: Duration = Duration::from_millis(200);

/// A line to a port of this machine; it carries until the test ends.
pub(crate) struct Line {
    port: u16,
    state: Arc<State>,
}

struct State {
    delay: Duration,
    /// Percent of packets that are lost once.
    lost: u64,
    chance: Mutex<u64>,
    /// Connections made before this one are dead: nothing passes, nobody says so.
    alive_from: AtomicUsize,
    made: AtomicUsize,
}

impl Line {
    /// A line to `port` on which every packet takes `delay`, and `lost` percent
    /// of them the time of a second try as well.
    pub(crate) fn to(port: u16, delay: Duration, lost: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let line = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::new(State {
                delay,
                lost,
                chance: Mutex::new(0x9E37_79B9_7F4A_7C15),
                alive_from: AtomicUsize::new(0),
                made: AtomicUsize::new(0),
            }),
        };
        let state = Arc::clone(&line.state);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let number = state.made.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far, near),
                ] {
                    let state = Arc::clone(&state);
                    thread::spawn(move || carry(&state, number, from, to));
                }
            }
        });
        line
    }

    /// The line as a relay URL.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// Connections made so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.made.load(Ordering::SeqCst)
    }

    /// From now on nothing passes on the connections there are; neither end is
    /// told. New ones work.
    pub(crate) fn forget_all(&self) {
        let made = self.connections();
        self.state.alive_from.store(made, Ordering::SeqCst);
    }
}

impl State {
    fn is_lost(&self) -> bool {
        let mut chance = self.chance.lock().unwrap();
        // Xorshift: the same losses in every run.
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        *chance % 100 < self.lost
    }
}

fn carry(state: &State, number: usize, mut from: TcpStream, mut to: TcpStream) {
    let mut packet = [0; PACKET];
    to.set_nodelay(true).ok();
    while let Ok(length @ 1..) = from.read(&mut packet) {
        thread::sleep(state.delay);
        if state.is_lost() {
            thread::sleep(AGAIN);
        }
        let is_alive = number >= state.alive_from.load(Ordering::SeqCst);
        if is_alive && to.write_all(&packet[..length]).is_err() {
            break;
        }
    }
    if number >= state.alive_from.load(Ordering::SeqCst) {
        to.shutdown(std::net::Shutdown::Write).ok();
    }
}
