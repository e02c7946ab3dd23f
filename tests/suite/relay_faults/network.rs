//! Lines that are slow, lose packets or forget connections, and names whose
//! first address is dead.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{ends, press_with, reconciles};
use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::line::Line;
use crate::press::{Press, reader_address};
use crate::receipt::Fate;

/// A press that sends over this line.
fn over(line: &Line, sink: &ChaosSink, readers: usize) -> Press {
    let readers: Vec<String> = (1..=readers).map(reader_address).collect();
    let press = press_with(sink, readers.iter().map(String::as_str));
    press.relay(&line.url());
    press
}

#[test]
fn an_answer_to_the_dot_within_its_limit_is_waited_for() {
    let sink = ChaosSink::start(Behaviour::default());
    let late = Answer::Late(Duration::from_secs(3));
    sink.rule(Phase::Dot, Rule::times(1, late));
    let press = press_with(&sink, ["anna@example.org", "ben@example.com"]);
    press.set("mail.timeouts.dot", "20s");
    let run = press.run(&["run"]);
    ends(&run, sink.port(), 0, "");
    assert!(run.took >= Duration::from_secs(3), "{run}");
    assert_eq!(sink.count(Fate::Accepted), 2);
    assert_eq!(sink.connections(), 1);
    reconciles(&press, &sink);
}

#[test]
fn a_line_that_is_slow_and_loses_packets_costs_time_and_nothing_else() {
    let sink = ChaosSink::start(Behaviour::default());
    let line = Line::to(sink.port(), Duration::from_millis(20), 20);
    let press = over(&line, &sink, 15);
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 15);
    reconciles(&press, &sink);
}

#[test]
fn a_line_that_forgets_a_connection_before_the_dot_costs_no_certainty() {
    let sink = ChaosSink::start(Behaviour::default());
    let line = Line::to(sink.port(), Duration::ZERO, 0);
    sink.rule(Phase::Data, Rule::times(1, Answer::Hold));
    let press = over(&line, &sink, 5);
    // The answers before that may still be on the line when it forgets them.
    for limit in ["command", "data"] {
        press.set(&format!("mail.timeouts.{limit}"), "2s");
    }
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    line.forget_all();
    sink.release();
    ends(&run.wait(), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 5);
    assert_eq!(line.connections(), 2);
    reconciles(&press, &sink);
}

#[test]
fn a_line_that_forgets_a_connection_after_the_dot_leaves_that_one_uncertain() {
    let sink = ChaosSink::start(Behaviour::default());
    let line = Line::to(sink.port(), Duration::ZERO, 0);
    sink.hold_dots();
    let press = over(&line, &sink, 5);
    press.set("mail.timeouts.dot", "1s");
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    line.forget_all();
    sink.release();
    let words = "1 uncertain delivery held: nobody knows whether it arrived; \
                 see `letterpress uncertain list`\n";
    ends(&run.wait(), sink.port(), 3, words);
    assert_eq!(press.ledger().count("sent"), 4);
    assert_eq!(press.ledger().count("uncertain"), 1);
    reconciles(&press, &sink);
}

/// A port on ::1 whose queue of connections is full, so that a further one is
/// neither taken nor refused; it lasts as long as what is handed back.
fn dead_end(port: u16) -> (tokio::runtime::Runtime, Vec<Box<dyn std::any::Any>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let address: SocketAddr = format!("[::1]:{port}").parse().unwrap();
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v6().unwrap();
        socket.bind(address).unwrap();
        socket.listen(1).unwrap()
    });
    let mut held: Vec<Box<dyn std::any::Any>> = vec![Box::new(listener)];
    for _ in 0..64 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(stream) => held.push(Box::new(stream)),
            Err(_) => return (runtime, held),
        }
    }
    panic!("the queue of a listening socket never fills up");
}

#[test]
fn a_dead_address_in_front_of_a_good_one_costs_the_connect_limit() {
    let sink = ChaosSink::start(Behaviour::default());
    let press = press_with(&sink, ["anna@example.org", "ben@example.com"]);
    let hosts = "::1 localhost\n127.0.0.1 localhost\n";
    press.write("hosts", hosts);
    press.relay(&format!("smtp://localhost:{}?tls=none", sink.port()));
    press.set("mail.timeouts.connect", "1s");
    let _dead = dead_end(sink.port());

    // A table of names of its own, seen by this one program only.
    let script = "mount --bind hosts /etc/hosts && exec \"$@\"";
    let in_own_mounts = ["unshare", "--mount", "--", "/bin/sh", "-c", script, "sh"];
    let run = press.spawn_under(&in_own_mounts, &["run"]).wait();
    ends(&run, sink.port(), 0, "");
    assert!(
        run.took >= Duration::from_secs(1),
        "it was not tried\n{run}"
    );
    assert!(run.took < Duration::from_secs(20), "{run}");
    assert_eq!(press.ledger().count("sent"), 2);
    reconciles(&press, &sink);
}

#[test]
fn a_name_that_nobody_knows_is_told_and_since_when() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut press = press_with(&sink, ["anna@example.org", "ben@example.com"]);
    press.relay("smtp://relay.example.net:587?tls=required");
    // Nobody is asked but the table of names, and that by this one program only.
    press.write("nsswitch.conf", "hosts: files\n");
    let script = "mount --bind nsswitch.conf /etc/nsswitch.conf && exec \"$@\"";
    let in_own_mounts = ["unshare", "--mount", "--", "/bin/sh", "-c", script, "sh"];
    for at in ["2026-11-27T08:00:00+02:00", "2026-11-27T09:30:00+02:00"] {
        press.at(at);
        let run = press.spawn_under(&in_own_mounts, &["run"]).wait();
        run.exits(75);
        let begin = "relay relay.example.net:587 unreachable since 08:00 (the host name cannot be resolved (";
        assert!(run.stderr.starts_with(begin), "{run}");
        assert!(
            run.stderr
                .ends_with("); 2 queued, next try with the next run\n"),
            "{run}"
        );
        let ledger = press.ledger();
        assert_eq!(ledger.sums_hold().count("queued"), 2);
        assert_eq!(ledger.attempts_of("anna@example.org"), 0);
    }
    press.relay(&sink.url());
    ends(&press.run(&["run"]), sink.port(), 0, "");
    assert_eq!(press.ledger().count("sent"), 2);
    reconciles(&press, &sink);
}
