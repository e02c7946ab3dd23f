//! The pace that all workers keep together, and what is told of it.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{SESSIONS, everybody_has_it_once, freeze, press_on};
use crate::net::holds_within;
use crate::postgres;
use crate::receipt::Fate;
use crate::serving::client::Served;

#[test]
fn one_rate_holds_for_all_workers_together() {
    const READERS: usize = 240;
    // The first is the one that froze the issue.
    const WORKERS: [usize; 3] = [2, 3, 4];
    let (press, sink) = press_on(postgres::database(), READERS);
    press.set("mail.rate", "40/s");
    freeze(&press, &sink);
    let served = Served::of(&press);
    sink.hold_dots();
    let machines = WORKERS.map(|_| press.copied());
    let mut workers = Vec::new();
    for (machine, number) in machines.iter().zip(WORKERS) {
        workers.push(machine.spawn(&["work"]));
        // Each has claimed some before the next one comes.
        let in_hand = format!("letterpress_worker_in_hand{{worker=\"{number}\"}}");
        let has_some = || served.figure(&in_hand) > 0;
        assert!(holds_within(Duration::from_secs(30), has_some), "{number}");
    }
    assert_eq!(served.figure("letterpress_workers"), WORKERS.len() as u64);
    let begin = Instant::now();
    sink.release();
    sink.wait_for(Fate::Accepted, READERS);
    let took = begin.elapsed();
    // What was under way had its turn before; so had what may be late by a moment.
    let before = WORKERS.len() * SESSIONS + 10;
    let least = Duration::from_secs_f64((READERS - before) as f64 / 40.0);
    assert!(took >= least, "{took:?} instead of at least {least:?}");
    let sent = |number| {
        served.figure(&format!(
            "letterpress_worker_sent_total{{worker=\"{number}\"}}"
        ))
    };
    let all_told = || WORKERS.map(sent).iter().sum::<u64>() == READERS as u64;
    assert!(holds_within(Duration::from_secs(30), all_told));
    assert!(WORKERS.map(sent).iter().all(|sent| *sent > 0));
    for worker in &mut workers {
        worker.signal(Signal::TERM);
    }
    for worker in workers {
        worker.wait().succeeds();
    }
    assert_eq!(served.figure("letterpress_workers"), 0);
    served.end().succeeds();
    everybody_has_it_once(&press, &sink, READERS);
}

#[test]
fn a_receiver_that_asks_for_less_gets_less_from_everybody() {
    let (press, sink) = press_on(postgres::database(), 0);
    let addresses: Vec<String> = (0..80)
        .map(|n| format!("x450-9.reader{n}@slow.example.org"))
        .collect();
    press.subscribe(addresses.iter().map(String::as_str));
    press.run(&["run"]).succeeds();
    let status = press.run(&["status"]);
    assert!(
        status
            .stdout
            .contains("\nslow       slow.example.org: a message in "),
        "{status}"
    );
    assert_eq!(sink.count(Fate::Accepted), 0);
    let served = Served::of(&press);
    assert!(served.figure("letterpress_receiver_refusals{domain=\"slow.example.org\"}") > 0);
    served.end().succeeds();
}
