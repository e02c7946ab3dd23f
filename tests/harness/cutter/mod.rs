//! A line to PostgreSQL that can be cut, go silent, lead elsewhere, or be cut
//! at the very moment a COMMIT is under way: a proxy that reads the messages of
//! the protocol, and changes none.

mod messages;

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use self::messages::{Answers, Questions};
use crate::harness::net::holds_within;

/// What is lost of a COMMIT; the client is cut off without knowing which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The question: the server never heard of it.
    Question,
    /// The answer: the server has done it.
    Answer,
}

/// Such a proxy; its connections end when it is dropped.
pub(crate) struct Cutter {
    port: u16,
    state: Arc<State>,
}

/// A commit that is to be lost: the next one of a transaction in which a
/// statement held this text.
struct Plan {
    loss: Loss,
    holding: String,
    /// Nobody is let in after that.
    closes: bool,
}

struct State {
    /// Where it leads.
    server: AtomicU16,
    is_closed: AtomicBool,
    is_silent: Mutex<bool>,
    changed: Condvar,
    plans: Mutex<VecDeque<Plan>>,
    lost: AtomicUsize,
    made: AtomicUsize,
    open: Mutex<HashMap<usize, [TcpStream; 2]>>,
    stopping: AtomicBool,
}

/// What both directions of one connection know.
struct Connection {
    number: usize,
    /// When the server has been ready that often, the lost commit is done.
    swallowed_until: Mutex<Option<usize>>,
    /// Answers of one byte, to a question for encryption, yet to come.
    bare: AtomicUsize,
}

impl Cutter {
    /// A line to the server on this port.
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server: AtomicU16::new(server),
            is_closed: AtomicBool::new(false),
            is_silent: Mutex::new(false),
            changed: Condvar::new(),
            plans: Mutex::default(),
            lost: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            open: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &accepting));
        Self { port, state }
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Connections there are now.
    pub(crate) fn open(&self) -> usize {
        self.state.open.lock().unwrap().len()
    }

    /// Connections made so far.
    pub(crate) fn made(&self) -> usize {
        self.state.made.load(Ordering::SeqCst)
    }

    /// Ends every connection; new ones work.
    pub(crate) fn cut(&self) {
        self.state.cut_all();
    }

    /// Ends every connection, and lets nobody in until [`Cutter::admit`].
    pub(crate) fn close(&self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
        self.state.cut_all();
    }

    /// Lets clients in again.
    pub(crate) fn admit(&self) {
        self.state.is_closed.store(false, Ordering::SeqCst);
    }

    /// From now on nothing passes, and neither end is told.
    pub(crate) fn silence(&self) {
        *self.state.is_silent.lock().unwrap() = true;
    }

    /// Lets pass what was held up, and what follows.
    pub(crate) fn resume(&self) {
        *self.state.is_silent.lock().unwrap() = false;
        self.state.changed.notify_all();
    }

    /// Leads to another server from now on; ends every connection.
    pub(crate) fn lead_to(&self, server: u16) {
        self.state.server.store(server, Ordering::SeqCst);
        self.state.cut_all();
    }

    /// Loses the next COMMIT of a transaction one of whose statements held this
    /// text, and cuts the connection it came on.
    pub(crate) fn lose_a_commit(&self, loss: Loss, holding: &str) {
        self.plan(loss, holding, false);
    }

    /// The same, and from then on lets nobody in until [`Cutter::admit`].
    pub(crate) fn lose_a_commit_and_close(&self, loss: Loss, holding: &str) {
        self.plan(loss, holding, true);
    }

    fn plan(&self, loss: Loss, holding: &str, closes: bool) {
        let holding = holding.to_owned();
        let plan = Plan {
            loss,
            holding,
            closes,
        };
        self.state.plans.lock().unwrap().push_back(plan);
    }

    /// How many commits were lost so far.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }

    /// Waits until that many commits were lost.
    #[track_caller]
    pub(crate) fn wait_for_lost(&self, number: usize) {
        let lost = holds_within(Duration::from_secs(60), || self.lost() >= number);
        assert!(
            lost,
            "waited for {number} lost commits, saw {}",
            self.lost()
        );
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        self.resume();
        // Wakes the acceptor, which then sees that it is over.
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        drop(TcpStream::connect_timeout(&address, Duration::from_secs(1)));
        self.state.cut_all();
    }
}

impl State {
    fn cut_all(&self) {
        for ends in self.open.lock().unwrap().values() {
            cut(ends);
        }
        self.changed.notify_all();
    }

    fn cut_one(&self, number: usize) {
        if let Some(ends) = self.open.lock().unwrap().get(&number) {
            cut(ends);
        }
    }

    /// Comes back when bytes may pass.
    fn wait_while_silent(&self) {
        let silent = self.is_silent.lock().unwrap();
        drop(self.changed.wait_while(silent, |silent| *silent).unwrap());
    }

    /// Whether the commit of a transaction with these statements is to be lost.
    fn plan_for(&self, statements: &[String]) -> Option<Loss> {
        let mut plans = self.plans.lock().unwrap();
        let next = plans.front()?;
        let holds = |one: &String| one.contains(&next.holding);
        if !statements.iter().any(holds) {
            return None;
        }
        let plan = plans.pop_front()?;
        self.is_closed.fetch_or(plan.closes, Ordering::SeqCst);
        Some(plan.loss)
    }
}

fn cut(ends: &[TcpStream; 2]) {
    for end in ends {
        drop(end.shutdown(Shutdown::Both));
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for near in listener.incoming() {
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(near) = near else { continue };
        if state.is_closed.load(Ordering::SeqCst) {
            continue;
        }
        let server = state.server.load(Ordering::SeqCst);
        let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else {
            continue;
        };
        carry(state, near, far);
    }
}

/// Starts both directions of a new connection.
fn carry(state: &Arc<State>, near: TcpStream, far: TcpStream) {
    let number = state.made.fetch_add(1, Ordering::SeqCst);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let ends = [near.try_clone().unwrap(), far.try_clone().unwrap()];
    state.open.lock().unwrap().insert(number, ends);
    let connection = Arc::new(Connection {
        number,
        swallowed_until: Mutex::new(None),
        bare: AtomicUsize::new(0),
    });
    let (asking, answering) = (Arc::clone(state), Arc::clone(state));
    let asked = Arc::clone(&connection);
    let (from, to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    thread::spawn(move || {
        ask(&asking, &asked, from, to);
        asking.cut_one(asked.number);
    });
    thread::spawn(move || {
        answer(&answering, &connection, far, near);
        answering.cut_one(connection.number);
        answering.open.lock().unwrap().remove(&connection.number);
    });
}

/// Carries what the client says, message by message.
fn ask(state: &State, connection: &Connection, mut from: TcpStream, mut to: TcpStream) {
    let mut questions = Questions::default();
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        questions.add(&buffer[..length]);
        while let Some(question) = questions.next() {
            state.wait_while_silent();
            if question.asks_for_encryption {
                connection.bare.fetch_add(1, Ordering::SeqCst);
            }
            let loss = question.commits.and_then(|sql| state.plan_for(&sql));
            match loss {
                Some(Loss::Question) => {
                    state.lost.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Some(Loss::Answer) => {
                    *connection.swallowed_until.lock().unwrap() = Some(question.ready_after);
                }
                None => {}
            }
            if to.write_all(&question.bytes).is_err() {
                return;
            }
        }
    }
}

/// Carries what the server says, and sees when a lost commit is done.
fn answer(state: &State, connection: &Connection, mut from: TcpStream, mut to: TcpStream) {
    let mut answers = Answers::default();
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        answers.add(&buffer[..length]);
        loop {
            if connection.bare.load(Ordering::SeqCst) > 0 && answers.take_bare(&mut to) {
                connection.bare.fetch_sub(1, Ordering::SeqCst);
            }
            let Some(message) = answers.next() else { break };
            state.wait_while_silent();
            let until = *connection.swallowed_until.lock().unwrap();
            match until {
                Some(ready) if answers.ready() >= ready => {
                    state.lost.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Some(_) => {}
                None if to.write_all(&message).is_err() => return,
                None => {}
            }
        }
    }
}
