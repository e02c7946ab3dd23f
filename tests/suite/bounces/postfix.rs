//! Real mail servers that refuse: at once, later, and behind one another.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use crate::net::holds_within;
use crate::postfix::{Mailboxes, Options, Postfix};

use super::*;

/// Settings without which Postfix looks for other ways, or takes its time.
/// The domains whose mailboxes it has are all that differs.
fn main_cf(domains: &str) -> Vec<String> {
    let own = format!("virtual_mailbox_domains = {domains}");
    let common = [
        "smtp_host_lookup = native",
        "smtp_tls_security_level = none",
        "smtp_connection_cache_on_demand = no",
        "queue_run_delay = 1s",
        "minimal_backoff_time = 1s",
        "maximal_backoff_time = 1s",
        "delay_warning_time = 1s",
        "bounce_size_limit = 200",
    ];
    common.map(str::to_owned).into_iter().chain([own]).collect()
}

/// The same, which takes mail for anybody and finds out later.
fn lenient(domains: &str) -> Vec<String> {
    let more = "smtpd_reject_unlisted_recipient = no".to_owned();
    main_cf(domains).into_iter().chain([more]).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    list.iter().map(owned).collect()
}

/// Waits until so many reports lie in the mailbox.
#[track_caller]
fn wait_for_reports(postfix: &Postfix, number: usize) {
    let new = postfix.maildir("@bounces.example.org").join("new");
    let came = || fs::read_dir(&new).is_ok_and(|mails| mails.count() >= number);
    assert!(
        holds_within(Duration::from_secs(40), came),
        "{}",
        postfix.log()
    );
}

#[test]
fn readers_whom_postfix_refuses_end_where_they_belong_with_the_reason_kept() {
    // The reader's own server: it takes some mail and refuses it later.
    let second = Postfix::start(&Options {
        mailboxes: Mailboxes::Only(vec!["here@example.net".to_owned()]),
        main_cf: main_cf("example.net"),
        ..Options::default()
    });
    let onwards = format!("smtp:[127.0.0.1]:{}", second.port());
    let relay = Postfix::start(&Options {
        mailboxes: Mailboxes::Only(
            ["well@example.org", "@bounces.example.org"]
                .map(str::to_owned)
                .to_vec(),
        ),
        access: pairs(&[
            ("refused@example.org", "550 5.1.1 no such person"),
            ("later@example.org", "OK"),
            ("full@example.org", "OK"),
            ("slow@example.org", "OK"),
            ("policy@example.org", "OK"),
            ("gone@example.net", "OK"),
            ("here@example.net", "OK"),
        ]),
        transport: pairs(&[
            ("later@example.org", "error:5.1.1 the account was closed"),
            ("full@example.org", "error:5.2.2 the mailbox is full"),
            ("slow@example.org", "retry:4.4.1 the next hop rests"),
            ("policy@example.org", "error:5.7.1 we take no letters"),
            ("example.net", &onwards),
        ]),
        main_cf: lenient("example.org bounces.example.org"),
        ..Options::default()
    });
    let press = Press::new();
    press
        .subscribe([
            "well@example.org",
            "refused@example.org",
            "later@example.org",
            "full@example.org",
            "slow@example.org",
            "policy@example.org",
            "gone@example.net",
            "here@example.net",
        ])
        .relay(&relay.url())
        .set("content.pages", false);
    let box_of_bounces = relay.maildir("@bounces.example.org");
    press.set(
        "bounces.source",
        format!("maildir:{}", box_of_bounces.display()),
    );
    // Before the first bounce there is no mailbox: that is said, and holds nobody.
    press.run(&["run"]).exits(66).says("cannot be read");
    assert_eq!(press.ledger().count("sent"), 7);
    wait_for_reports(&relay, 5);
    let is_here = || second.delivered().len() == 1;
    assert!(
        holds_within(Duration::from_secs(40), is_here),
        "{}",
        second.log()
    );
    press.run(&["run"]).succeeds().is_silent();

    for (address, kind, code, reason, status) in [
        (
            "later@example.org",
            "hard_bounce",
            "5.1.1",
            "the account was closed",
            "bounced",
        ),
        (
            "full@example.org",
            "soft_bounce",
            "5.2.2",
            "the mailbox is full",
            "active",
        ),
        (
            "slow@example.org",
            "delayed",
            "4.4.1",
            "the next hop rests",
            "active",
        ),
        (
            "policy@example.org",
            "blocked",
            "5.7.1",
            "we take no letters",
            "active",
        ),
        (
            "gone@example.net",
            "hard_bounce",
            "5.1.1",
            "User unknown",
            "bounced",
        ),
    ] {
        let told = super::why(&press, address);
        let report = &told["deliveries"][0]["reports"][0];
        assert_eq!(report["kind"], kind, "{told}");
        assert_eq!(report["code"], code, "{told}");
        assert!(
            report["reason"].as_str().unwrap().contains(reason),
            "{told}"
        );
        assert_eq!(told["status"], status, "{told}");
        assert_eq!(told["deliveries"][0]["state"], "sent");
    }
    let refused = super::why(&press, "refused@example.org");
    assert_eq!(refused["status"], "bounced");
    assert_eq!(refused["deliveries"][0]["state"], "rejected");
    assert!(refused.to_string().contains("no such person"), "{refused}");
    for address in ["well@example.org", "here@example.net"] {
        assert_eq!(super::status(&press, address), "active");
    }
    assert_eq!(press.ledger().suppressions(), 3);
    press.ledger().sums_hold();

    // A stranger who knows the addresses but no token reports them all.
    for address in ["well@example.org", "here@example.net"] {
        let forged = report(
            "bounce+v1.aaaa.bbbb.cccc@bounces.example.org",
            "failed",
            "5.1.1",
            address,
        );
        fs::write(box_of_bounces.join("new").join(address), forged).unwrap();
    }
    press
        .run(&["bounces", "read"])
        .succeeds()
        .says("2 ignored (without a token of ours)");
    assert_eq!(press.ledger().suppressions(), 3);
}

#[test]
fn a_server_behind_the_relay_that_takes_a_message_and_returns_it_is_heard() {
    // It takes mail for everybody, finds nobody, and returns it through the
    // first server, which has the mailbox of bounces.
    let first_port = crate::net::free_port();
    let second = Postfix::start(&Options {
        transport: vec![
            (
                "bounces.example.org".to_owned(),
                format!("smtp:[127.0.0.1]:{first_port}"),
            ),
            (
                "gone@example.net".to_owned(),
                "error:5.1.1 nobody lives here".to_owned(),
            ),
        ],
        main_cf: lenient("example.net"),
        ..Options::default()
    });
    let relay = Postfix::start_on(
        first_port,
        &Options {
            mailboxes: Mailboxes::Only(vec!["@bounces.example.org".to_owned()]),
            transport: vec![(
                "example.net".to_owned(),
                format!("smtp:[127.0.0.1]:{}", second.port()),
            )],
            main_cf: main_cf("bounces.example.org"),
            ..Options::default()
        },
    );
    let press = Press::new();
    press
        .subscribe(["gone@example.net", "here@example.net"])
        .relay(&relay.url())
        .set("content.pages", false);
    press.run(&["run"]).succeeds();
    wait_for_reports(&relay, 1);
    let mailbox = format!(
        "maildir:{}",
        relay.maildir("@bounces.example.org").display()
    );
    press
        .run(&["bounces", "read", &mailbox])
        .succeeds()
        .says("1 hard bounce, 1 reader will not be written to again");
    assert_eq!(super::status(&press, "gone@example.net"), "bounced");
    assert_eq!(super::status(&press, "here@example.net"), "active");
    press
        .run(&["why", "gone@example.net"])
        .prints("came back: hard bounce 5.1.1 nobody lives here");
}

/// Gives the press, and all that is in it, to the account that pipes run as.
fn give_to_nobody(press: &Press) {
    const NOBODY: u32 = 65_534;
    fs::set_permissions(press.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    for entry in walkdir::WalkDir::new(press.dir()) {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

#[test]
fn a_pipe_of_postfix_takes_each_report_and_keeps_it_while_it_cannot_be_applied() {
    let press = Press::new();
    // Where that account reaches it, wherever the sources lie.
    fs::copy(env!("CARGO_BIN_EXE_letterpress"), press.path("letterpress")).unwrap();
    let place = |name: &str| press.path(name).to_string_lossy().into_owned();
    let argv = [
        &place("letterpress"),
        "--at",
        crate::press::FRIDAY,
        "--config",
        &place("of-pipe.toml"),
        "bounces",
        "read",
        "-",
    ]
    .join(" ");
    let postfix = Postfix::start(&Options {
        transport: pairs(&[
            ("one@example.org", "error:5.1.1 the account was closed"),
            ("two@example.org", "error:5.1.1 the account was closed"),
            ("bounces.example.org", "magazine:"),
        ]),
        master_cf: vec![format!(
            "magazine unix - n n - 1 pipe user=nobody argv={argv}"
        )],
        main_cf: lenient("example.org"),
        ..Options::default()
    });
    press.set("content.pages", false).relay(&postfix.url());
    press.subscribe(["one@example.org", "well@example.org"]);
    let settings = press.read("letterpress.toml");
    press.write("of-pipe.toml", &settings);
    give_to_nobody(&press);
    press.run(&["run"]).succeeds();
    give_to_nobody(&press);
    let is_bounced = |address: &str| press.ledger().is_suppressed(address);
    let came = || is_bounced("one@example.org");
    assert!(
        holds_within(Duration::from_secs(30), came),
        "{}",
        postfix.log()
    );
    assert!(!is_bounced("well@example.org"));

    // What cannot be applied stays with Postfix until it can.
    press.subscribe(["two@example.org"]);
    press.article(
        "garden/later.md",
        "+++\ntitle = \"Later\"\ndate = 2026-11-26\n+++\n\nDig.\n",
    );
    press.write("of-pipe.toml", "[publication");
    press.run(&["send", "weekly"]).succeeds();
    let deferred = || postfix.log().contains("status=deferred (temporary failure");
    assert!(
        holds_within(Duration::from_secs(30), deferred),
        "{}",
        postfix.log()
    );
    assert!(!is_bounced("two@example.org"));
    press.write("of-pipe.toml", &settings);
    give_to_nobody(&press);
    let came = || is_bounced("two@example.org");
    assert!(
        holds_within(Duration::from_secs(60), came),
        "{}",
        postfix.log()
    );
    assert_eq!(press.ledger().reports(), 2);
}
