//! Where mails lie: Maildir, mbox, standard input. None is lost, none counts
//! twice, whoever dies or holds a lock.

use std::fs;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::dice::Dice;

use super::*;

fn bounce(press: &Press, number: usize) -> String {
    let address = reader_address(number);
    let to = sender_of(&press.ledger(), &address);
    report(&to, "failed", "5.1.1", &address)
}

fn bounced(press: &Press, readers: usize) -> usize {
    let is_bounced = |number: &usize| press.ledger().is_suppressed(&reader_address(*number));
    (1..=readers).filter(is_bounced).count()
}

#[test]
fn a_reading_that_is_killed_at_any_moment_loses_nothing_and_counts_nothing_twice() {
    const READERS: usize = 40;
    let press = sent_to(READERS);
    for number in 1..=READERS {
        let mail = bounce(&press, number);
        put(&press, &format!("{number:03}"), &mail);
    }
    let mut dice = Dice::of(5);
    let mut kills = 0;
    for _ in 0..25 {
        let mut run = press.spawn(&["bounces", "read"]);
        thread::sleep(Duration::from_micros(dice.below(30_000)));
        kills += usize::from(run.is_running());
        run.kill();
        // Whatever moved out of the way has its effect.
        let seen = press.files("bounces/cur").len();
        assert!(bounced(&press, READERS) >= seen);
        assert_eq!(seen + press.files("bounces/new").len(), READERS);
    }
    assert!(kills > 0, "every reading was over before its kill");
    press.run(&["bounces", "read"]).succeeds();
    assert_eq!(bounced(&press, READERS), READERS);
    assert_eq!(press.ledger().reports() as usize, READERS);
    assert_eq!(press.files("bounces/new"), [""; 0]);
}

#[test]
fn a_mail_whose_effect_is_committed_but_which_was_not_moved_is_moved_by_the_next_reading() {
    let press = sent_to(2);
    put(&press, "1", &bounce(&press, 1));
    // `cur` takes nothing: what dies there dies between commit and rename.
    let cur = press.path("bounces/cur");
    fs::remove_dir(&cur).unwrap();
    fs::write(&cur, "").unwrap();
    let listed = press.run(&["bounces", "read"]);
    listed.exits(74).says("cannot be read");
    assert_eq!(bounced(&press, 2), 0, "nothing is done in a broken Maildir");

    fs::remove_file(&cur).unwrap();
    fs::create_dir(&cur).unwrap();
    // strace kills the program at its first rename.
    let run = press
        .spawn_under(
            &[
                "strace",
                "-f",
                "-o",
                "trace",
                "-e",
                "trace=rename,renameat,renameat2",
                "-e",
                "inject=rename,renameat,renameat2:signal=KILL:when=1",
            ],
            &["bounces", "read"],
        )
        .wait();
    assert_ne!(run.code(), Some(0), "{run}");
    assert!(
        press.read("trace").contains("SIGKILL"),
        "{}",
        press.read("trace")
    );
    assert_eq!(bounced(&press, 2), 1, "committed");
    assert_eq!(press.files("bounces/new").len(), 1, "not moved");
    press
        .run(&["--format", "json", "bounces", "read"])
        .succeeds()
        .prints("\"repeated\": 1");
    assert_eq!(press.files("bounces/new"), [""; 0]);
    assert_eq!(press.ledger().reports(), 1);
}

#[test]
fn readings_at_the_same_time_share_a_mailbox() {
    const READERS: usize = 60;
    let press = sent_to(READERS);
    for number in 1..=READERS {
        let mail = bounce(&press, number);
        put(&press, &format!("{number:03}"), &mail);
    }
    let readings: Vec<_> = (0..4).map(|_| press.spawn(&["bounces", "read"])).collect();
    for reading in readings {
        reading.wait().succeeds();
    }
    assert_eq!(bounced(&press, READERS), READERS);
    assert_eq!(press.ledger().reports() as usize, READERS);
    assert_eq!(press.files("bounces/cur").len(), READERS);
    press.ledger().sums_hold();
}

#[test]
fn an_mbox_is_read_on_from_where_it_was_left_and_waits_for_who_writes_it() {
    let press = sent_to(3);
    let add = |number: usize| {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(press.path("mbox"))
            .unwrap();
        let from = "From MAILER-DAEMON Fri Nov 27 08:00:00 2026";
        let mail = bounce(&press, number);
        writeln!(file, "{from}\n{mail}").unwrap();
    };
    press.set("bounces.source", "mbox:mbox");
    press
        .run(&["bounces", "read"])
        .exits(66)
        .says("mbox cannot be read");
    add(1);
    assert_eq!(read(&press)["read"], 1);
    assert_eq!(read(&press)["read"], 0);
    add(2);
    let before = press.read("mbox");
    assert_eq!(read(&press)["read"], 1);
    assert_eq!(press.read("mbox"), before, "it is only read");

    // A delivery agent holds its lock for a moment.
    let held = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(press.path("mbox"))
        .unwrap();
    fcntl_lock(&held, FlockOperation::LockExclusive).unwrap();
    let waiting = press.spawn(&["bounces", "read"]);
    thread::sleep(Duration::from_millis(700));
    add(3);
    drop(held);
    waiting.wait().succeeds().says("1 hard bounce");
    assert_eq!(bounced(&press, 3), 3);
    // One that is never given back.
    press.write("mbox.lock", "");
    press
        .run(&["bounces", "read"])
        .exits(75)
        .says("another program keeps it locked");
}

#[test]
fn a_pipe_takes_the_mail_or_says_that_it_is_to_be_tried_again() {
    let press = sent_to(2);
    let mail = bounce(&press, 1);
    piped(&press, &mail).succeeds().says("1 hard bounce");
    piped(&press, &mail).succeeds().says("no new mail");
    assert_eq!(press.ledger().reports(), 1);
    piped(&press, "").succeeds();
    piped(&press, &"x".repeat(5_000_000)).succeeds();
    // Whatever goes wrong, the mail server is to keep the mail: for other codes
    // it would give it up.
    let second = bounce(&press, 2);
    let settings = press.read("letterpress.toml");
    press.write("letterpress.toml", "[publication");
    piped(&press, &second).exits(75);
    press.write("letterpress.toml", &settings);
    let place = |name: &str| press.path(name);
    fs::rename(place("letterpress.db"), place("away.db")).unwrap();
    piped(&press, &second)
        .exits(75)
        .says("there is no ledger yet");
    fs::rename(place("away.db"), place("letterpress.db")).unwrap();
    piped(&press, &second).succeeds();
    assert_eq!(bounced(&press, 2), 2);
}

#[test]
fn a_mailbox_that_cannot_be_read_is_said_and_holds_nobodys_mail() {
    let press = Press::new();
    press
        .subscribers(3)
        .set("bounces.source", "maildir:nowhere");
    press
        .run(&["run"])
        .exits(66)
        .says("error: maildir:")
        .says("nowhere cannot be read")
        .says("docs/bounces.md");
    assert_eq!(press.ledger().count("sent"), 3);
    press.config(|settings| {
        drop(settings["bounces"].as_table_mut().unwrap().remove("source"));
    });
    press
        .run(&["bounces", "read"])
        .exits(78)
        .says("set `bounces.source`");
    press.run(&["bounces", "read", "pop3://x"]).exits(2);
}
