//! Readers leave by one click while their letter goes out.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use letterpress::domain::subscriber::SubscriberId;
use letterpress::links::{DigestTag, Payload, Purpose, Signer};
use rusqlite::Connection;
use rustix::process::Signal;

use super::at_volume;
use super::figures::{Figures, thousands};
use crate::harness::dice::Dice;
use crate::harness::oracle::{Evidence, Policy, broken};
use crate::harness::press::Press;
use crate::harness::receipt::Fate;

/// How many
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many readers the one issue has
    #[arg(long, default_value_t = 100_000)]
    pub(crate) readers: usize,
    /// How many of them leave while it goes out
    #[arg(long, default_value_t = 10_000)]
    pub(crate) clicks: usize,
    /// Over how many connections at once
    #[arg(long, default_value_t = 32)]
    pub(crate) clients: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
}

/// The letter goes out for at least so many seconds.
const LASTS: usize = 10;
/// A mailbox provider gives up on an answer that takes longer.
const IN_TIME: Duration = Duration::from_secs(10);

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let limit = Duration::from_secs(3600);
    let (mut press, sink) = at_volume(options.readers, options.sessions, limit);
    // Both commands and this program have to agree on what was first.
    press.real_clock();
    // However quick the machine is, the letter goes out while readers click.
    press.set("mail.rate", format!("{}/s", options.readers / LASTS));
    let leavers = drawn(&press, options, &mut Dice::of(seed));
    let mut serve = press.spawn(&["serve", "--listen", "127.0.0.1:0"]);
    let line = serve.first_line();
    let port: u16 = line
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let mut run = press.spawn(&["send", "weekly"]);
    sink.wait_for(Fate::Accepted, options.readers / 100);
    let before = sink.count(Fate::Accepted);
    let begin = Instant::now();
    let answers = clicked(port, &leavers, options.clients);
    let took = begin.elapsed();
    let meanwhile = sink.count(Fate::Accepted) - before;
    assert!(
        run.is_running(),
        "the issue ended too early: take more readers"
    );
    let noted = figure(port, "result=\"noted\"");
    run.wait().succeeds();
    serve.signal(Signal::TERM);
    serve.wait().succeeds();
    sink.settle();
    let cancelled = reconciled(&press, &sink.receipts(), (&leavers, &answers), options);
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    times.sort();
    let slowest = *times.last().unwrap();
    assert!(slowest < IN_TIME, "one answer took {slowest:?}");
    let at = |hundredth: usize| {
        format!(
            "{} ms",
            times[(times.len() - 1) * hundredth / 100].as_millis()
        )
    };
    let mut figures = Figures::default();
    figures
        .add("readers", thousands(options.readers))
        .add("clicks, each answered 200", thousands(options.clicks))
        .add("connections", options.clients)
        .add("median", at(50))
        .add("p99", at(99))
        .add("slowest", at(100))
        .add(
            "clicks a second",
            (options.clicks as f64 / took.as_secs_f64()) as u64,
        )
        .add("messages accepted meanwhile", thousands(meanwhile))
        .add("noted beside the ledger", noted)
        .add("deliveries cancelled", thousands(cancelled))
        .add("begun after their reader had left", 0);
    figures
}

/// A reader about to leave.
struct Leaver {
    id: i64,
    path: String,
}

/// Readers from everywhere on the list, with the links of their letters.
fn drawn(press: &Press, options: &Options, dice: &mut Dice) -> Vec<Leaver> {
    let ledger = Connection::open(press.database()).unwrap();
    let sql = "SELECT install_key FROM installation";
    let key: [u8; 32] = ledger.query_row(sql, [], |row| row.get(0)).unwrap();
    let signer = Signer::new(&key);
    let digest = DigestTag::of(&"weekly".parse().unwrap());
    let mut select = ledger
        .prepare("SELECT id, public_id FROM subscribers")
        .unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, SubscriberId(row.get(1)?))));
    let mut readers: Vec<(i64, SubscriberId)> = rows.unwrap().map(Result::unwrap).collect();
    assert!(options.clicks <= readers.len());
    let draw = (0..options.clicks).map(|_| {
        let at = dice.below(readers.len() as u64) as usize;
        let (id, subscriber) = readers.swap_remove(at);
        let payload = Payload::Reader { subscriber, digest };
        let token = signer.token(Purpose::Unsubscribe, &payload);
        Leaver {
            id,
            path: format!("/unsubscribe/{token}"),
        }
    });
    draw.collect()
}

/// A 200 that came after a click.
struct Answered {
    took: Duration,
    /// In seconds since 1970, as the ledger counts them.
    at: i64,
}

/// Clicks for all of them, over so many connections; the answer to each, in
/// their order.
fn clicked(port: u16, leavers: &[Leaver], clients: usize) -> Vec<Answered> {
    let share = leavers.len().div_ceil(clients);
    thread::scope(|scope| {
        let clients: Vec<_> = leavers
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    let mut connection = Connected::to(port);
                    let times = part.iter().map(|leaver| connection.click(&leaver.path));
                    times.collect::<Vec<Answered>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    })
}

/// A connection of a mailbox provider, kept as long as it lives.
struct Connected {
    port: u16,
    reader: BufReader<TcpStream>,
}

impl Connected {
    fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            port,
            reader: BufReader::new(stream),
        }
    }

    fn click(&mut self, path: &str) -> Answered {
        let body = "List-Unsubscribe=One-Click";
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: letters.example.org\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let begin = Instant::now();
        self.reader.get_mut().write_all(head.as_bytes()).unwrap();
        let (status, _) = self.answer();
        assert_eq!(status, 200, "{path}");
        Answered {
            took: begin.elapsed(),
            at: Utc::now().timestamp(),
        }
    }

    fn answer(&mut self) -> (u16, String) {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert_ne!(
                self.reader.read_line(&mut line).unwrap(),
                0,
                "port {} hung up",
                self.port
            );
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

/// The sum of the figures whose labels hold this.
fn figure(port: u16, label: &str) -> u64 {
    let mut connection = Connected::to(port);
    let head = "GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    connection
        .reader
        .get_mut()
        .write_all(head.as_bytes())
        .unwrap();
    let (_, text) = connection.answer();
    let lines = text.lines().filter(|line| line.contains(label));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// Whoever was answered has left, and nothing was begun for them after that;
/// everybody else has one message. How many deliveries were cancelled.
fn reconciled(
    press: &Press,
    receipts: &[crate::harness::receipt::Receipt],
    (leavers, answers): (&[Leaver], &[Answered]),
    options: &Options,
) -> usize {
    let ledger = Connection::open(press.database()).unwrap();
    let mut select = ledger
        .prepare(
            "SELECT s.id, coalesce(a.started, 0)
               FROM subscribers s
               LEFT JOIN (SELECT d.subscriber_id AS reader, max(t.started_at) AS started
                            FROM attempts t JOIN deliveries d ON d.id = t.delivery_id
                           GROUP BY 1) a ON a.reader = s.id
              WHERE s.status = 3",
        )
        .unwrap();
    let left = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let left: HashMap<i64, i64> = left.unwrap().map(Result::unwrap).collect();
    assert_eq!(left.len(), leavers.len());
    assert_eq!(answers.len(), leavers.len());
    for (leaver, answered) in leavers.iter().zip(answers) {
        let Some(begun) = left.get(&leaver.id) else {
            panic!("reader {} was answered and is on the list", leaver.id);
        };
        assert!(
            *begun <= answered.at,
            "reader {} was answered at {} and written to at {begun}",
            leaver.id,
            answered.at
        );
    }
    let rows = press.ledger().rows();
    let found = broken(&rows, &Evidence::of(receipts), Policy::Once);
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(20)]);
    let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
    let cancelled = count("cancelled");
    assert_eq!(count("sent") + cancelled, options.readers);
    assert!(cancelled <= leavers.len());
    cancelled
}
