//! Reports in the formats of many mail servers and providers, written after
//! what those send: each is understood, or left alone, as it deserves.

use std::collections::BTreeMap;

use super::*;

/// What a sample comes to: the report on record, or why it is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    To {
        kind: &'static str,
        code: Option<&'static str>,
        /// Part of the reason that is kept.
        reason: &'static str,
        status: &'static str,
    },
    Ignored(&'static str),
}

const fn to(
    kind: &'static str,
    code: &'static str,
    reason: &'static str,
    status: &'static str,
) -> Comes {
    Comes::To {
        kind,
        code: if code.is_empty() { None } else { Some(code) },
        reason,
        status,
    }
}

const NO_REPORT: Comes = Comes::Ignored("no report");
const NOBODY: Comes = Comes::Ignored("a report of nobody's bounce or complaint");

macro_rules! samples {
    ($($name:literal => $comes:expr,)*) => {
        [$(($name, include_str!(concat!("corpus/", $name, ".eml")), $comes)),*]
    };
}

const SAMPLES: [(&str, &str, Comes); 26] = samples! {
    "postfix-unknown" => to("hard_bounce", "5.1.1", "User unknown in virtual mailbox table", "bounced"),
    "postfix-delayed" => to("delayed", "4.4.1", "Connection timed out", "active"),
    "postfix-full" => to("soft_bounce", "5.2.2", "Quota exceeded", "active"),
    "postfix-smtputf8" => to("hard_bounce", "5.1.1", "<žofie@example.net>: unknown", "bounced"),
    "exim-unknown" => to("hard_bounce", "5.1.1", "does not exist", "bounced"),
    "exim-bare" => to("soft_bounce", "5.0.0", "550 Administrative prohibition", "active"),
    "sendmail-unknown" => to("hard_bounce", "5.1.1", "User unknown", "bounced"),
    "qmail" => NO_REPORT,
    "exchange-unknown" => to("hard_bounce", "5.1.10", "RecipientNotFound", "bounced"),
    "outlook-blocked" => to("blocked", "5.7.1", "block list", "active"),
    "gmail-unknown" => to("hard_bounce", "5.1.1", "does not exist", "bounced"),
    "gmail-full" => to("soft_bounce", "5.2.2", "out of storage space", "active"),
    "gmail-gave-up" => to("soft_bounce", "4.4.1", "did not accept our requests", "active"),
    "yahoo-complaint" => to("complaint", "", "abuse, told by Yahoo!-Mail-Feedback/2.0", "complained"),
    "outlook-complaint" => to("complaint", "", "abuse, told by Feedback-Loop/1.0", "complained"),
    "amazon-bounce" => to("hard_bounce", "5.1.1", "user unknown", "bounced"),
    "amazon-complaint" => to("complaint", "", "abuse, told by SES/1.0", "complained"),
    "amazon-sns" => to("hard_bounce", "5.1.1", "user unknown", "bounced"),
    "auth-failure" => NOBODY,
    "not-spam" => NOBODY,
    "out-of-office" => NO_REPORT,
    "read-receipt" => NO_REPORT,
    "forwarded-srs" => to("hard_bounce", "5.2.1", "is disabled", "bounced"),
    "domino-base64" => to("hard_bounce", "5.1.1", "User not listed in directory", "bounced"),
    "alias-mildest" => to("accepted", "2.0.0", "delivered 2.0.0", "active"),
    "sender-refused" => to("blocked", "5.1.8", "Domain of sender address", "active"),
};

/// A Maildir with every sample, each about a reader of its own.
fn press() -> Press {
    let press = sent_to(SAMPLES.len());
    let ledger = press.ledger();
    for (at, (name, text, _)) in SAMPLES.iter().enumerate() {
        put(
            &press,
            name,
            &filled(&ledger, text, &reader_address(at + 1)),
        );
    }
    press
}

#[test]
fn reports_of_all_kinds_of_servers_move_their_reader_and_keep_the_reason() {
    let press = press();
    let summary = read(&press);
    assert_eq!(summary["read"], SAMPLES.len());
    for (at, (name, _, comes)) in SAMPLES.iter().enumerate() {
        let address = reader_address(at + 1);
        let told = why(&press, &address);
        let reports = told["deliveries"][0]["reports"].as_array().unwrap();
        let Comes::To {
            kind,
            code,
            reason,
            status,
        } = comes
        else {
            assert_eq!(reports.len(), 0, "{name}: {told}");
            assert_eq!(told["status"], "active", "{name}");
            continue;
        };
        assert_eq!(reports.len(), 1, "{name}: {told}");
        assert_eq!(reports[0]["kind"], *kind, "{name}");
        assert_eq!(reports[0]["code"].as_str(), *code, "{name}");
        let words = reports[0]["reason"].as_str().unwrap();
        assert!(words.contains(reason), "{name}: {words}");
        assert_eq!(told["status"], *status, "{name}");
        let is_suppressed = press.ledger().is_suppressed(&address);
        assert_eq!(is_suppressed, *status != "active", "{name}");
    }
    let mut ignored: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, _, comes) in SAMPLES {
        if let Comes::Ignored(why) = comes {
            *ignored.entry(why).or_default() += 1;
        }
    }
    assert_eq!(summary["ignored"], serde_json::to_value(ignored).unwrap());
    press.ledger().sums_hold();
}

#[test]
fn what_was_read_is_seen_and_comes_to_nothing_when_it_is_found_again() {
    let press = press();
    read(&press);
    assert_eq!(press.files("bounces/new"), [""; 0]);
    let seen = press.files("bounces/cur");
    assert_eq!(seen.len(), SAMPLES.len());
    assert!(seen.iter().all(|name| name.ends_with(":2,S")), "{seen:?}");
    let before = press.ledger().reports();
    // The same bytes under other names, and in an mbox.
    let mut mbox = String::new();
    for (at, path) in seen.iter().enumerate() {
        let text = press.read(path);
        put(&press, &format!("again{at}"), &text);
        mbox.push_str(&format!(
            "From a@example.org Fri Nov 27 08:00:00 2026\n{text}\n"
        ));
    }
    let again = read(&press);
    assert_eq!(again["repeated"], SAMPLES.len());
    press.write("mbox", &mbox);
    press
        .run(&["bounces", "read", "mbox:mbox"])
        .succeeds()
        .says("told before");
    assert_eq!(press.ledger().reports(), before);
}

#[test]
fn a_person_sees_what_came_back_and_why() {
    let press = press();
    press
        .run(&["bounces", "read"])
        .succeeds()
        .says("bounces: 26 mails read from maildir:")
        .says("3 complaints, 10 hard bounces, 4 soft bounces, 2 blocked, 1 delayed, 1 accepted")
        .says("13 readers will not be written to again")
        .says("3 ignored (no report)");
    press
        .run(&["status"])
        .succeeds()
        .prints("came back  weekly/1: 3 complaints (11.53 %), 10 hard bounces (38.46 %)")
        .prints("of 26 sent");
    press
        .run(&["issues", "show", "weekly/1"])
        .succeeds()
        .prints("10 came back: hard bounce");
    press
        .run(&["why", &reader_address(1)])
        .succeeds()
        .prints("suppressed since")
        .prints("hard bounce")
        .prints("came back: hard bounce 5.1.1 550 5.1.1 <");
}
