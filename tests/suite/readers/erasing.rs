//! Erasure: killed in the middle, beside a run, and looked for in every file.

use std::fs;
use std::time::{Duration, Instant};

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::{Answer, Behaviour, Phase, Rule};
use crate::dice::Dice;
use crate::press::Press;
use crate::receipt::Fate;

/// Files of the ledger that hold this text, in letters of either case.
fn traces(press: &Press, text: &str) -> Vec<String> {
    let needle = text.as_bytes();
    let database = press.database();
    let folder = fs::read_dir(database.parent().unwrap()).unwrap();
    let mut found = Vec::new();
    for entry in folder.map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() && name.starts_with("letterpress.db") {
            let bytes = fs::read(entry.path()).unwrap().to_ascii_lowercase();
            if bytes.windows(needle.len()).any(|part| part == needle) {
                found.push(name);
            }
        }
    }
    found
}

fn status(press: &Press, address: &str) -> Option<String> {
    let shown = press.run(&["--format", "json", "subscribers", "show", address]);
    let status = shown.json()["status"].clone();
    status.as_str().map(str::to_owned)
}

/// A press whose relay refused everybody with their address in the reply.
fn quoted(readers: usize) -> (Press, ChaosSink) {
    let sink = ChaosSink::start(Behaviour::default());
    let press = Press::new();
    press.subscribers(readers).relay(&sink.url());
    (press, sink)
}

#[test]
fn nothing_is_left_of_who_is_erased_wherever_the_command_is_killed() {
    let (press, _sink) = quoted(300);
    press.run(&["run"]).succeeds();
    let mut dice = Dice::of(20_261_128);
    // How long a whole one takes here: the kills come before its end.
    let begin = Instant::now();
    let first = crate::press::reader_address(1);
    press.run(&["subscribers", "erase", &first]).succeeds();
    let whole = u64::try_from(begin.elapsed().as_micros()).unwrap();
    let mut killed = 0;
    for number in 2..=25 {
        let address = crate::press::reader_address(number);
        assert!(!traces(&press, &address).is_empty(), "{address} is nowhere");
        let erase = press.spawn(&["subscribers", "erase", &address]);
        std::thread::sleep(Duration::from_micros(dice.below(whole)));
        if erase.kill().killed_by() == Some(9) {
            killed += 1;
        }
        // It happened or it did not.
        let status = status(&press, &address);
        assert!(
            matches!(status.as_deref(), None | Some("active")),
            "{address}: {status:?}"
        );
        // Whatever it left to do, the same command does.
        press.run(&["subscribers", "erase", &address]).succeeds();
        assert_eq!(traces(&press, &address), Vec::<String>::new(), "{address}");
    }
    assert!(killed >= 8, "only {killed} of 24 were killed in time");
    press.run(&["store", "verify"]).succeeds();
    press.run(&["run"]).succeeds();
    press.ledger().sums_hold();
}

#[test]
fn what_a_killed_erasure_left_in_the_files_the_next_run_wipes() {
    let (press, _sink) = quoted(50);
    press.run(&["run"]).succeeds();
    let address = crate::press::reader_address(7);
    let ledger = rusqlite::Connection::open(press.database()).unwrap();
    // A reader of the ledger holds on to the old pages, as a backup would.
    ledger
        .execute_batch("BEGIN; SELECT count(*) FROM subscribers;")
        .unwrap();
    let _: i64 = ledger
        .query_row("SELECT count(*) FROM subscribers", [], |row| row.get(0))
        .unwrap();
    let erased = press.run(&["subscribers", "erase", &address]);
    erased
        .exits(75)
        .says("cannot be wiped while another process reads them");
    assert!(!traces(&press, &address).is_empty());
    ledger.execute_batch("COMMIT").unwrap();
    drop(ledger);
    press.run(&["run"]).succeeds();
    assert_eq!(traces(&press, &address), Vec::<String>::new());
}

#[test]
fn beside_a_run_who_is_erased_gets_nothing_more_and_the_run_goes_on() {
    let (press, sink) = quoted(40);
    press.set("mail.connections", 1);
    sink.hold_dots();
    let run = press.spawn(&["run"]);
    sink.wait_for_held(1);
    let under_way = crate::press::reader_address(1);
    let queued = crate::press::reader_address(20);
    press
        .run(&["subscribers", "erase", &queued])
        .succeeds()
        .says("erased; 1 queued delivery cancelled");
    press
        .run(&["subscribers", "erase", &under_way])
        .succeeds()
        .says("1 in flight will finish");
    assert_eq!(traces(&press, &queued), Vec::<String>::new());
    assert_eq!(traces(&press, &under_way), Vec::<String>::new());
    sink.release();
    run.wait().succeeds();
    assert_eq!(sink.count(Fate::Accepted), 39);
    let to = sink.receipts();
    assert!(to.iter().all(|receipt| receipt.recipient != queued));
    assert_eq!(traces(&press, &under_way), Vec::<String>::new());
    press.ledger().sums_hold();
    press.run(&["store", "verify"]).succeeds();
}

#[test]
fn servers_that_quote_an_address_are_forgotten_with_it() {
    let (press, sink) = quoted(3);
    let address = crate::press::reader_address(2);
    press.set("mail.connections", 1);
    let reply = format!("450 4.2.0 <{address}> mailbox is busy");
    sink.rule(Phase::Rcpt, Rule::times(1, Answer::reply(&reply)).after(1));
    press.run(&["run"]).succeeds();
    press.run(&["why", &address]).prints("mailbox is busy");
    press.run(&["subscribers", "erase", &address]).succeeds();
    assert_eq!(traces(&press, &address), Vec::<String>::new());
    assert_eq!(traces(&press, "mailbox is busy"), Vec::<String>::new());
}
