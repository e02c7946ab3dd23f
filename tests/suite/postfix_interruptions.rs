//! A real Postfix that is slow to trust, has limits, is stopped or dies, and a
//! run that is stopped in the middle: everybody has the issue once in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use crate::greylist::Greylist;
use crate::net::holds_within;
use crate::oracle::{Policy, assert_reconciled, summary};
use crate::postfix::{Options, Postfix};
use crate::press::{Press, reader_address};
use crate::process::{Finished, Running};

const READERS: usize = 37;
/// `[mail] connections` where nothing is set.
const CONNECTIONS: usize = 10;
/// After every first retry (5 minutes, give or take 15 %).
const LATER: &str = "2026-11-27T08:20:00+02:00";

fn press(postfix: &Postfix, patience: &str) -> Press {
    let press = Press::new();
    press
        .subscribers(READERS)
        .relay(&postfix.url())
        .set("mail.relay_patience", patience);
    press
}

/// Every reader's copies in the Maildirs.
fn copies(postfix: &Postfix) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for one in postfix.all_delivered() {
        *copies.entry(one.recipient).or_default() += 1;
    }
    copies
}

fn each(times: usize) -> BTreeMap<String, usize> {
    (1..=READERS)
        .map(|number| (reader_address(number), times))
        .collect()
}

#[track_caller]
fn reconciles(press: &Press, postfix: &Postfix) {
    let ledger = press.ledger();
    let (rows, receipts) = (ledger.rows(), postfix.receipts());
    eprintln!("{}", summary(&rows, &receipts));
    assert_reconciled(&rows, &receipts, Policy::Once);
}

#[test]
fn a_greylisting_postfix_takes_everybody_once_at_the_second_try() {
    let greylist = Greylist::start();
    let postfix = Postfix::start(&Options {
        main_cf: greylist.main_cf(),
        ..Options::default()
    });
    let mut press = press(&postfix, "1s");
    let run = press.run(&["-v", "run"]);
    run.succeeds().says("37 deferred, next attempt 08:0");
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("queued"), READERS);
    assert_eq!(greylist.asked(), each(1));
    assert_eq!(postfix.log().matches(": 450 4.7.1 ").count(), READERS);
    assert_eq!(postfix.delivered().len(), 0);

    // Too early: nobody is tried again, and cron hears nothing.
    press.at("2026-11-27T08:01:00+02:00");
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(greylist.asked(), each(1));

    press.at(LATER);
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(greylist.asked(), each(2));
    assert_eq!(
        greylist.pairs(),
        READERS,
        "a reader's sender is always the same"
    );
    assert_eq!(copies(&postfix), each(1));
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    reconciles(&press, &postfix);
}

#[test]
fn what_postfix_says_of_one_reader_concerns_nobody_else() {
    let [busy, gone] = [1, 2].map(reader_address);
    let access = [
        (busy.clone(), "450 4.2.1 mailbox busy".to_owned()),
        (gone.clone(), "550 5.1.1 no such person".to_owned()),
    ];
    let postfix = Postfix::start(&Options {
        access: access.to_vec(),
        ..Options::default()
    });
    let press = press(&postfix, "1s");
    press
        .run(&["-v", "run"])
        .succeeds()
        .says("35 sent, 1 refused, 1 deferred, next attempt 08:0")
        .says("1 unknown address will not be written to again\n");
    let ledger = press.ledger();
    assert_eq!(ledger.state_of(&busy), "queued");
    assert_eq!(ledger.attempts_of(&busy), 1);
    assert_eq!(ledger.state_of(&gone), "rejected");
    assert!(ledger.is_suppressed(&gone) && !ledger.is_suppressed(&busy));
    assert_eq!(ledger.sums_hold().count("sent"), READERS - 2);
    reconciles(&press, &postfix);
}

#[test]
fn a_postfix_with_a_rate_limit_is_left_alone_and_gets_the_rest_later() {
    let postfix = Postfix::start(&Options {
        main_cf: vec![
            "smtpd_client_message_rate_limit = 25".to_owned(),
            "smtpd_client_event_limit_exceptions =".to_owned(),
            "anvil_rate_time_unit = 8s".to_owned(),
        ],
        ..Options::default()
    });
    let press = press(&postfix, "1s");
    let run = press.run(&["run"]);
    let taken = press.ledger().sums_hold().count("sent");
    assert!((1..=25).contains(&taken), "{taken} were taken\n{run}");
    let words = format!(
        "relay 127.0.0.1:{} takes no mail since 08:00 \
         (450 4.7.1 Error: too much mail from 127.0.0.1); \
         {} queued, next try with the next run\n",
        postfix.port(),
        READERS - taken
    );
    run.exits(75);
    assert_eq!(run.stderr, words);
    let attempts = (1..=READERS).map(|number| press.ledger().attempts_of(&reader_address(number)));
    assert_eq!(
        attempts.sum::<u32>() as usize,
        taken,
        "no attempt of others"
    );

    press.set("mail.relay_patience", "40s");
    press.run(&["run"]).succeeds().is_silent();
    assert_eq!(copies(&postfix), each(1));
    reconciles(&press, &postfix);
}

/// A run that has handed over at least `number` messages and goes on slowly.
#[track_caller]
fn half_way(press: &Press, postfix: &Postfix, number: usize) -> Running {
    press.set("mail.rate", "8/s");
    let mut run = press.spawn(&["run"]);
    let reached = holds_within(Duration::from_secs(40), || {
        postfix.log().matches("(queue active)").count() >= number || !run.is_running()
    });
    assert!(reached && run.is_running(), "the run is not under way");
    run
}

/// Runs again, and asserts that everybody but the uncertain has the issue once.
#[track_caller]
fn the_next_run_goes_on(press: &Press, postfix: &Postfix) {
    press.set("mail.rate", "1000/s");
    let before = press.ledger().sums_hold().count("uncertain");
    assert!(before <= CONNECTIONS, "{before} uncertain");
    press.run(&["run"]).exits(if before > 0 { 3 } else { 0 });
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("uncertain"), before);
    assert_eq!(ledger.count("sent") + before, READERS);
    reconciles(press, postfix);
}

#[test]
fn a_run_that_is_asked_to_stop_leaves_nothing_in_doubt() {
    let postfix = Postfix::start(&Options::default());
    let press = press(&postfix, "10s");
    let mut run = half_way(&press, &postfix, 5);
    run.signal(Signal::TERM);
    let end = run.wait();
    end.exits(75)
        .says("stopping: ")
        .says("in flight, waiting up to 60 s");
    let ledger = press.ledger();
    let (sent, queued) = (ledger.sums_hold().count("sent"), ledger.count("queued"));
    assert!(
        sent >= 5 && queued > 0,
        "{sent} sent, {queued} queued\n{end}"
    );
    assert_eq!(sent + queued, READERS, "{:?}", ledger.states());
    assert_eq!(postfix.all_delivered().len(), sent);
    the_next_run_goes_on(&press, &postfix);
    assert_eq!(copies(&postfix), each(1));
}

/// The run whose Postfix went away says so; what was in doubt is held.
#[track_caller]
fn ends_without_its_relay(press: &Press, postfix: &Postfix, run: Running) -> Finished {
    let end = run.wait();
    let uncertain = press.ledger().sums_hold().count("uncertain");
    end.exits(if uncertain > 0 { 3 } else { 75 });
    end.says(&format!(
        "relay 127.0.0.1:{} unreachable since 08:00 (",
        postfix.port()
    ));
    end.says(" queued, next try with the next run\n");
    if uncertain > 0 {
        end.says(&format!("{uncertain} uncertain deliver"));
    }
    end
}

#[test]
fn a_postfix_that_is_stopped_in_the_middle_gets_the_rest_from_the_next_run() {
    let postfix = Postfix::start(&Options::default());
    let press = press(&postfix, "1s");
    let run = half_way(&press, &postfix, 5);
    postfix.stop();
    ends_without_its_relay(&press, &postfix, run);
    postfix.restart();
    the_next_run_goes_on(&press, &postfix);
}

#[test]
fn a_postfix_that_is_killed_in_the_middle_gets_the_rest_from_the_next_run() {
    let postfix = Postfix::start(&Options::default());
    let press = press(&postfix, "1s");
    let run = half_way(&press, &postfix, 5);
    postfix.kill();
    ends_without_its_relay(&press, &postfix, run);
    postfix.restart();
    the_next_run_goes_on(&press, &postfix);
}
