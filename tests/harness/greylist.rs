//! A greylisting policy service: whoever is new to it has to come again.
//!
//! It speaks Postfix's access policy delegation protocol: lines of `name=value`
//! and an empty one, answered by `action=…` and an empty line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How often each pair of sender and recipient was asked about.
type Seen = Arc<Mutex<BTreeMap<(String, String), usize>>>;

/// A running service. Its threads end with the test's process.
pub(crate) struct Greylist {
    port: u16,
    seen: Seen,
}

impl Greylist {
    /// Starts it on a free loopback port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Seen::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&shared);
                // Postfix gone is the end of one connection, and no fault.
                thread::spawn(move || drop(serve(&connection, &seen)));
            }
        });
        Self { port, seen }
    }

    /// The lines of `main.cf` that have Postfix ask this service.
    pub(crate) fn main_cf(&self) -> Vec<String> {
        vec![format!(
            "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{}, \
             permit_mynetworks, reject",
            self.port
        )]
    }

    /// How often each recipient was asked about, whoever the sender was.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for ((_, recipient), times) in &*self.seen.lock().unwrap() {
            *asked.entry(recipient.clone()).or_default() += times;
        }
        asked
    }

    /// How many pairs of sender and recipient there were.
    pub(crate) fn pairs(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn serve(connection: &TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut request = BTreeMap::new();
    for line in BufReader::new(connection).lines() {
        let line = line?;
        if let Some((name, value)) = line.split_once('=') {
            request.insert(name.to_owned(), value.to_owned());
            continue;
        }
        let mut of = |name: &str| request.remove(name).unwrap_or_default();
        let pair = (of("sender"), of("recipient"));
        request.clear();
        let times = {
            let mut seen = seen.lock().unwrap();
            let times = seen.entry(pair).or_default();
            *times += 1;
            *times
        };
        let action = match times {
            1 => "DEFER_IF_PERMIT 4.7.1 greylisted, come again",
            _ => "DUNNO",
        };
        let mut connection = connection;
        connection.write_all(format!("action={action}\n\n").as_bytes())?;
    }
    Ok(())
}
