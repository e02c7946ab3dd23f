//! `uncertain check-log` against a real Postfix: whatever was killed, the log
//! settles every uncertain delivery, and rightly.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::chaos::ChaosSink;
use crate::chaos::behaviour::Behaviour;
use crate::dice::Dice;
use crate::line::Line;
use crate::net::answers;
use crate::oracle::{Policy, assert_reconciled, summary};
use crate::postfix::{Options, Postfix};
use crate::press::Press;
use crate::process::Finished;
use crate::relay_faults::several;

const READERS: usize = 150;
/// Kills of one trial.
const KILLS: usize = 4;

/// A number from the environment: `LETTERPRESS_TEST_TRIALS`, for campaigns, and
/// `LETTERPRESS_TEST_SEED`, to play one again.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A press whose first issue can be sent at any real time: what Postfix logs
/// carries the machine's time.
fn press(postfix: &Postfix) -> Press {
    let mut press = Press::new();
    press
        .subscribers(READERS)
        .relay(&postfix.url())
        .set("mail.relay_patience", "20s");
    old_article(&press);
    press.real_clock();
    press
}

/// Gives the press something to send at any time, and no slot that is due.
fn old_article(press: &Press) {
    press
        .article(
            "garden/old.md",
            "+++\ntitle = \"An old bed\"\ndate = 2020-01-06\n+++\n\nDig.\n",
        )
        .set_digest("schedule", "0 0 29 2 *");
}

fn send_old_issue(press: &Press) -> Finished {
    old_article(press);
    press.run(&["send", "weekly"])
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// Lets the log grow past this second, as it does on any machine with mail.
fn let_time_pass(postfix: &Postfix) {
    thread::sleep(Duration::from_millis(2_100));
    assert!(answers(postfix.port()));
}

/// Kills the sender, the relay, or both, while messages are under way; false
/// when the run had nothing left to send and was at its end before.
fn kill_something(press: &Press, postfix: &Postfix, first: bool, dice: &mut Dice) -> bool {
    let before = postfix.log().matches("(queue active)").count();
    let verb: &[&str] = if first { &["send", "weekly"] } else { &["run"] };
    let mut run = press.spawn(verb);
    let target = before + 1 + dice.below(25) as usize;
    let begin = Instant::now();
    while run.is_running()
        && postfix.log().matches("(queue active)").count() < target
        && begin.elapsed() < Duration::from_secs(20)
    {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_micros(dice.below(4_000)));
    let is_under_way = run.is_running();
    match dice.below(3) {
        0 => drop(run.kill()),
        1 => {
            postfix.kill();
            postfix.restart();
            drop(run.wait());
        }
        _ => {
            postfix.kill();
            drop(run.kill());
            postfix.restart();
        }
    }
    is_under_way
}

/// What came of trials.
#[derive(Default)]
struct Outcome {
    /// Kills that struck a run under way.
    struck: usize,
    uncertain: usize,
    /// How many of the uncertain had been sent.
    sent: usize,
}

/// One issue under several kills, then settled by the log.
fn trial(seed: u64) -> Outcome {
    eprintln!("LETTERPRESS_TEST_SEED={seed}");
    let mut dice = Dice::of(seed);
    let postfix = Postfix::start(&Options::default());
    let press = press(&postfix);
    let struck = (0..KILLS)
        .filter(|kill| kill_something(&press, &postfix, *kill == 0, &mut dice))
        .count();
    assert!(struck > 0, "every run was over before its kill");
    press.run(&["run"]);
    let ledger = press.ledger();
    let uncertain = ledger.sums_hold().count("uncertain");
    assert_eq!(
        ledger.count("sent") + uncertain,
        READERS,
        "{:?}",
        ledger.states()
    );
    let_time_pass(&postfix);

    let log = postfix.log_file().to_string_lossy().into_owned();
    let check = [
        "--format",
        "json",
        "uncertain",
        "check-log",
        &log,
        "--margin",
        "1s",
    ];
    let dry = press.run(&[&check[..], &["--dry-run"]].concat());
    assert_eq!(
        ledger.count("uncertain"),
        uncertain,
        "a dry run changes nothing"
    );
    let real = press.run(&check);
    real.succeeds();
    assert_eq!(dry.json(), real.json());
    let decisions = real.json();
    let decisions = decisions.as_array().unwrap();
    assert_eq!(decisions.len(), uncertain);
    for row in decisions {
        assert_ne!(row["decision"], "left-uncertain", "{row}");
    }
    // Who was counted as sent has it, and who was queued again has it now,
    // once: anything else was settled wrongly.
    press.run(&["run"]).succeeds();
    assert_eq!(ledger.sums_hold().count("sent"), READERS);
    let receipts = postfix.receipts();
    assert_eq!(receipts.len(), READERS);
    assert_reconciled(&ledger.rows(), &receipts, Policy::Once);
    let sent = decisions
        .iter()
        .filter(|row| row["decision"] == "sent")
        .count();
    eprintln!(
        "{struck} kills struck; {uncertain} uncertain, {sent} of them sent; {}",
        summary(&ledger.rows(), &receipts)
    );
    Outcome {
        struck,
        uncertain,
        sent,
    }
}

/// Trials beyond those asked for, until one leaves something to settle.
const MORE: u64 = 10;

#[test]
fn a_postfix_log_settles_every_uncertain_delivery_rightly() {
    let seed = number("LETTERPRESS_TEST_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    let wanted = number("LETTERPRESS_TEST_TRIALS").unwrap_or(1);
    let (mut trials, mut all) = (0, Outcome::default());
    while trials < wanted || (all.uncertain == 0 && trials < wanted + MORE) {
        let one = trial(seed.wrapping_add(trials));
        trials += 1;
        all.struck += one.struck;
        all.uncertain += one.uncertain;
        all.sent += one.sent;
    }
    let Outcome {
        struck,
        uncertain,
        sent,
    } = all;
    assert!(uncertain > 0, "{trials} trials left nothing to settle");
    eprintln!(
        "{trials} trials, {struck} kills of runs under way: {uncertain} uncertain, {sent} of them \
         sent and {} not, all settled rightly",
        uncertain - sent
    );
}

/// Log lines of a Postfix that heard of nothing, at these seconds from now.
fn quiet_log(seconds: &[i64]) -> String {
    let line = |offset: &i64| {
        let at = chrono::Utc::now() + chrono::TimeDelta::seconds(*offset);
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        format!("{at} mx postfix/smtpd[7]: connect from localhost[127.0.0.1]\n")
    };
    seconds.iter().map(line).collect()
}

#[test]
fn only_a_complete_log_proves_that_nothing_was_taken() {
    let sink = ChaosSink::start(Behaviour::default());
    let mut press = Press::new();
    press.subscribe(["q@example.org"]).relay(&sink.url());
    press.real_clock();
    press.set("mail.relay_patience", "1s");
    send_old_issue(&press).exits(3);
    let check = |press: &Press, log: &str, more: &[&str]| {
        press.write("log", log);
        press.run(&[&["uncertain", "check-log", "log"], more].concat())
    };
    for (log, why) in [
        (String::new(), "the log has no lines"),
        (quiet_log(&[60, 2000]), "the log begins at"),
        (quiet_log(&[-60, 0]), "the log ends at"),
        (
            quiet_log(&[-900, 2000]),
            "the log says nothing about the minutes around",
        ),
    ] {
        let run = check(&press, &log, &[]);
        run.succeeds().prints("left uncertain").prints(why);
        run.says("1 uncertain delivery: 0 counted as sent, 0 queued again, 1 left\n");
        assert_eq!(press.ledger().count("uncertain"), 1);
    }
    let complete = quiet_log(&[-30, 5, 2000]);
    check(&press, &complete, &["--dry-run"])
        .succeeds()
        .prints("the log is complete and does not know it")
        .says("0 would be counted as sent, 1 would be queued again, 0 left\n");
    assert_eq!(press.ledger().count("uncertain"), 1);

    // Rotated, compressed, in the wrong order, and from standard input.
    press.write_bytes("log.1.gz", &gzip(&quiet_log(&[-30])));
    let files = ["uncertain", "check-log", "-", "log.1.gz"];
    press
        .run_with(&files, quiet_log(&[5, 2000]).as_bytes())
        .succeeds()
        .conceals("q@example.org")
        .prints("queued again");
    assert_eq!(press.ledger().count("queued"), 1);
    let files = ["uncertain", "check-log", "nowhere.log"];
    press
        .run(&files)
        .exits(66)
        .says("nowhere.log cannot be read");
}

#[test]
fn with_several_relays_one_log_proves_no_absence() {
    let sinks = [(); 2].map(|()| ChaosSink::start(Behaviour::default()));
    let mut press = Press::new();
    press.subscribe(["q@example.org"]);
    several(&press, &[(&sinks[0], 1), (&sinks[1], 1)]);
    press.real_clock();
    send_old_issue(&press).exits(3);
    press.write("log", &quiet_log(&[-30, 5, 2000]));
    press
        .run(&["uncertain", "check-log", "log"])
        .succeeds()
        .prints("not in this log, but there are several relays");
    assert_eq!(press.ledger().count("uncertain"), 1);
}

#[test]
fn an_answer_that_was_lost_on_the_way_is_found_in_the_log() {
    let postfix = Postfix::start(&Options::default());
    let line = Line::to(postfix.port(), Duration::from_secs(1), 0);
    let mut press = Press::new();
    press.subscribers(3).relay(&line.url());
    old_article(&press);
    press.real_clock();
    let run = press.spawn(&["send", "weekly"]);
    let begun = Instant::now();
    while !postfix.log().contains("(queue active)") && begun.elapsed() < Duration::from_secs(40) {
        thread::sleep(Duration::from_millis(5));
    }
    // Its answer is on the way for a second.
    run.kill();
    press.relay(&postfix.url());
    press
        .run(&["run"])
        .exits(3)
        .says(": 1 delivery uncertain\n")
        .says("1 uncertain delivery held: nobody knows whether it arrived");
    let_time_pass(&postfix);
    let log = postfix.log_file().to_string_lossy().into_owned();
    press
        .run(&["uncertain", "check-log", &log, "--margin", "1s"])
        .succeeds()
        .says("1 uncertain delivery: 1 counted as sent, 0 queued again, 0 left\n");
    press.run(&["run"]).succeeds().is_silent();
    let ledger = press.ledger();
    assert_eq!(ledger.sums_hold().count("sent"), 3);
    let receipts = postfix.receipts();
    assert_eq!(receipts.len(), 3);
    assert_reconciled(&ledger.rows(), &receipts, Policy::Once);
}
