//! What a Postfix log says about a message: taken, or not.
//!
//! Postfix logs a message's Message-ID while it is still being received, so
//! that line proves nothing. Once it has taken a message for good, the queue
//! manager logs its queue id as active: that is the proof. That a message was
//! not taken is proven only by a log that covers the attempt from before it
//! began until well after it and has no such line.

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufRead},
};

use chrono::{DateTime, Datelike, NaiveDateTime, TimeZone, Utc};

use crate::links::is_bounce_local;

/// Longer lines are cut: syslog lines are not.
const LONGEST_LINE: u64 = 16 * 1024;

/// A message that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its Message-ID.
    pub message_id: String,
    /// The local part of its own envelope sender, where messages have one:
    /// the queue manager logs it, too.
    pub sender: String,
}

/// What is known from the log lines read so far.
pub struct PostfixLog<Z> {
    zone: Z,
    now: DateTime<Utc>,
    /// Message-IDs that are asked for, without brackets and domain.
    wanted: HashSet<String>,
    /// The same by envelope sender.
    senders: HashMap<String, String>,
    /// The message a queue id stands for, by host and instance; `None` for
    /// those that are not asked for.
    queued: HashMap<QueueId, Option<String>>,
    taken: HashMap<String, Taken>,
    /// When messages became active whose Message-ID nobody logged: lines can
    /// be lost when a machine dies.
    nameless: Vec<DateTime<Utc>>,
    seen: HashMap<String, String>,
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    /// Minutes since 1970 in which something was logged.
    minutes: HashSet<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct QueueId {
    /// Host, and the instance's name such as `postfix`.
    logger: String,
    id: String,
}

/// The proof that a message was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Postfix's name for it.
    pub queue_id: String,
    /// When the queue manager had it.
    pub at: DateTime<Utc>,
}

/// What a log says about one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Postfix has taken the message.
    Taken(Taken),
    /// The log is complete, and Postfix has not. The queue id that saw the
    /// beginning of the message, if one did.
    NotTaken(Option<String>),
    /// The log cannot tell, and why.
    Unclear(String),
}

/// A line as far as it matters.
struct Line<'l> {
    at: DateTime<Utc>,
    /// Host and instance.
    logger: String,
    /// `cleanup`, `qmgr` and so on.
    service: &'l str,
    text: &'l str,
}

impl<Z: TimeZone> PostfixLog<Z> {
    /// A log of which nothing has been read. `zone` is that of time stamps
    /// which name none, and `now` tells the year of those without one.
    pub fn new(asked: impl IntoIterator<Item = Asked>, zone: Z, now: DateTime<Utc>) -> Self {
        let senders: HashMap<String, String> = asked
            .into_iter()
            .map(|one| (one.sender, left_of(&one.message_id).to_owned()))
            .collect();
        Self {
            zone,
            now,
            wanted: senders.values().cloned().collect(),
            senders,
            queued: HashMap::new(),
            taken: HashMap::new(),
            nameless: Vec::new(),
            seen: HashMap::new(),
            first: None,
            last: None,
            minutes: HashSet::new(),
        }
    }

    /// Reads log lines; those of other programs only tell the time. Files are
    /// read in the order of their lines.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read(&mut self, mut lines: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while next_line(&mut lines, &mut line)? {
            self.line(&String::from_utf8_lossy(&line));
        }
        Ok(())
    }

    fn line(&mut self, raw: &str) {
        let Some(line) = parse(raw, &self.zone, self.now) else {
            return;
        };
        self.first = Some(self.first.map_or(line.at, |first| first.min(line.at)));
        self.last = Some(self.last.map_or(line.at, |last| last.max(line.at)));
        self.minutes.insert(line.at.timestamp().div_euclid(60));
        let Some((id, what)) = line.text.split_once(": ") else {
            return;
        };
        let key = QueueId {
            logger: line.logger,
            id: id.to_owned(),
        };
        match line.service {
            // Short queue ids come again: what they stood for is over.
            "smtpd" | "pickup" if what.starts_with("client=") || what.starts_with("uid=") => {
                self.queued.remove(&key);
            }
            "cleanup" => {
                if let Some(message_id) = what.strip_prefix("message-id=") {
                    let known = self.wanted.get(left_of(message_id)).cloned();
                    if let Some(message_id) = &known {
                        self.seen.insert(message_id.clone(), id.to_owned());
                    }
                    self.queued.insert(key, known);
                }
            }
            "qmgr" if what.ends_with("(queue active)") => self.active(&key, what, line.at),
            "qmgr" if what == "removed" => {
                self.queued.remove(&key);
            }
            _ => {}
        }
    }

    fn active(&mut self, key: &QueueId, what: &str, at: DateTime<Utc>) {
        let sender = what.strip_prefix("from=<").map_or("", left_of);
        let message_id = match self.queued.get(key) {
            Some(Some(message_id)) => Some(message_id.clone()),
            _ => self.senders.get(sender).cloned(),
        };
        match message_id {
            Some(message_id) => {
                let taken = Taken {
                    queue_id: key.id.clone(),
                    at,
                };
                self.taken.entry(message_id).or_insert(taken);
            }
            // Somebody else's sender tells that it is none of those.
            None if !self.queued.contains_key(key) && !is_bounce_local(sender) => {
                self.nameless.push(at);
            }
            None => {}
        }
    }

    /// When its first line was written.
    #[must_use]
    pub fn begins(&self) -> Option<DateTime<Utc>> {
        self.first
    }

    /// What the log says about the message with this id, of which an attempt
    /// began at `began` and whose fate is settled at `settled` at the latest.
    #[must_use]
    pub fn says(&self, message_id: &str, began: DateTime<Utc>, settled: DateTime<Utc>) -> Evidence {
        let message_id = left_of(message_id);
        if let Some(taken) = self.taken.get(message_id) {
            return Evidence::Taken(taken.clone());
        }
        let shown = |at: DateTime<Utc>| at.with_timezone(&Utc).format("%Y-%m-%d %H:%M:%S UTC");
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Evidence::Unclear("the log has no lines".to_owned());
        };
        if first > began {
            return Evidence::Unclear(format!(
                "the log begins at {}, after the attempt at {}",
                shown(first),
                shown(began)
            ));
        }
        if last < settled {
            return Evidence::Unclear(format!(
                "the log ends at {}; to prove that nothing was taken it must reach {}",
                shown(last),
                shown(settled)
            ));
        }
        let minute = began.timestamp().div_euclid(60);
        if !(minute - 1..=minute + 1).any(|minute| self.minutes.contains(&minute)) {
            return Evidence::Unclear(format!(
                "the log says nothing about the minutes around {}",
                shown(began)
            ));
        }
        if self
            .nameless
            .iter()
            .any(|at| *at >= began && *at <= settled)
        {
            return Evidence::Unclear(
                "the log has a message whose Message-ID was not logged".to_owned(),
            );
        }
        Evidence::NotTaken(self.seen.get(message_id).cloned())
    }
}

/// One line without its end, cut if it is too long; false at the end.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if io::Read::take(&mut *lines, LONGEST_LINE).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if !line.ends_with(b"\n") {
        lines.skip_until(b'\n')?;
    }
    line.truncate(line.trim_ascii_end().len());
    Ok(true)
}

/// The part of a Message-ID before its domain: ours are unique by it.
fn left_of(message_id: &str) -> &str {
    let id = message_id.trim_start_matches('<');
    id.split_once('@').map_or(id, |(left, _)| left)
}

/// `Nov 27 08:00:01 host postfix/qmgr[12]: text`, or with an ISO 8601 time.
fn parse<'l, Z: TimeZone>(raw: &'l str, zone: &Z, now: DateTime<Utc>) -> Option<Line<'l>> {
    let (at, rest) = stamp(raw, zone, now)?;
    let (host, rest) = rest.split_once(' ')?;
    let (program, text) = rest.split_once(": ")?;
    let program = program.split('[').next()?;
    let (instance, service) = program.rsplit_once('/').unwrap_or(("", program));
    Some(Line {
        at,
        logger: format!("{host} {}", instance.split('/').next().unwrap_or_default()),
        service,
        text,
    })
}

fn stamp<'l, Z: TimeZone>(
    raw: &'l str,
    zone: &Z,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, &'l str)> {
    if raw.starts_with(|c: char| c.is_ascii_digit()) {
        let (stamp, rest) = raw.split_once(' ')?;
        let at = match DateTime::parse_from_rfc3339(stamp) {
            Ok(at) => at.with_timezone(&Utc),
            Err(_) => local(stamp.parse().ok()?, zone)?,
        };
        return Some((at, rest));
    }
    let (stamp, rest) = (raw.get(..15)?, raw.get(16..)?);
    // Without a year: the newest that does not lie in the future, by a day for
    // clocks that differ.
    let latest = now + chrono::TimeDelta::days(1);
    let year = now.year();
    [year + 1, year, year - 1].into_iter().find_map(|year| {
        let text = format!("{year} {stamp}");
        let naive = NaiveDateTime::parse_from_str(&text, "%Y %b %e %H:%M:%S").ok()?;
        let at = local(naive, zone)?;
        (at <= latest).then_some((at, rest))
    })
}

/// In an hour that comes twice, the earlier one.
fn local<Z: TimeZone>(naive: NaiveDateTime, zone: &Z) -> Option<DateTime<Utc>> {
    let at = zone.from_local_datetime(&naive).earliest()?;
    Some(at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "<abc234.7@magazine.example.org>";

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn evidence(lines: &str) -> Evidence {
        let now = time("2026-11-27T12:00:00Z");
        let asked = Asked {
            message_id: ID.to_owned(),
            sender: "bounce+v1.ours".to_owned(),
        };
        let mut log = PostfixLog::new([asked], Utc, now);
        log.read(lines.as_bytes()).unwrap();
        log.says(
            ID,
            time("2026-11-27T05:00:10Z"),
            time("2026-11-27T05:15:10Z"),
        )
    }

    const BEFORE: &str = "Nov 27 05:00:00 mx postfix/smtpd[9]: connect from unknown[192.0.2.1]\n";
    const AFTER: &str = "Nov 27 05:30:00 mx postfix/anvil[9]: statistics: max connection rate\n";
    const CLEANUP: &str = "Nov 27 05:00:11 mx postfix/cleanup[7]: 4A1B2C: message-id=<abc234.7@magazine.example.org>\n";
    const ACTIVE: &str = "Nov 27 05:00:12 mx postfix/qmgr[8]: 4A1B2C: from=<bounce+v1.x@example.org>, size=5108, nrcpt=1 (queue active)\n";

    #[test]
    fn the_queue_managers_line_is_the_proof_and_the_message_id_alone_is_none() {
        let taken = Evidence::Taken(Taken {
            queue_id: "4A1B2C".to_owned(),
            at: time("2026-11-27T05:00:12Z"),
        });
        assert_eq!(
            evidence(&[CLEANUP, ACTIVE].concat()),
            taken,
            "whatever else is missing"
        );
        assert_eq!(
            evidence(&[BEFORE, CLEANUP, AFTER].concat()),
            Evidence::NotTaken(Some("4A1B2C".to_owned()))
        );
        assert_eq!(
            evidence(&[BEFORE, AFTER].concat()),
            Evidence::NotTaken(None)
        );
    }

    #[test]
    fn a_queue_id_stands_for_the_message_that_had_it_last() {
        let again = "Nov 27 05:00:12 mx postfix/smtpd[9]: 4A1B2C: client=unknown[192.0.2.1]\n";
        let other =
            "Nov 27 05:00:12 mx postfix/cleanup[7]: 4A1B2C: message-id=<other@example.net>\n";
        let removed = "Nov 27 05:00:12 mx postfix/qmgr[8]: 4A1B2C: removed\n";
        let elsewhere = ACTIVE.replace(" mx ", " mx2 ");
        for between in [again, other, removed] {
            let lines = [BEFORE, CLEANUP, between, ACTIVE, AFTER].concat();
            assert!(
                matches!(evidence(&lines), Evidence::NotTaken(_)),
                "{between}"
            );
        }
        let lines = [BEFORE, CLEANUP, &elsewhere, AFTER].concat();
        assert!(
            matches!(evidence(&lines), Evidence::NotTaken(_)),
            "another host"
        );
    }

    #[test]
    fn a_lost_line_is_made_up_for_by_the_sender_or_proves_nothing() {
        let ours = ACTIVE.replace("bounce+v1.x@", "bounce+v1.ours@");
        let taken = evidence(&[BEFORE, &ours, AFTER].concat());
        assert!(matches!(taken, Evidence::Taken(_)), "{taken:?}");
        let other = [BEFORE, ACTIVE, AFTER].concat();
        assert_eq!(
            evidence(&other),
            Evidence::NotTaken(None),
            "somebody else's"
        );
        let plain = ACTIVE.replace("bounce+v1.x@", "news@");
        let unclear = evidence(&[BEFORE, &plain, AFTER].concat());
        assert!(matches!(unclear, Evidence::Unclear(_)), "{unclear:?}");
    }

    #[test]
    fn a_log_with_a_gap_proves_nothing() {
        for (lines, why) in [
            (String::new(), "no lines"),
            ([CLEANUP, AFTER].concat(), "begins at"),
            ([BEFORE, CLEANUP].concat(), "ends at"),
            (
                [&BEFORE.replace("05:00:00", "04:50:00"), AFTER].concat(),
                "the minutes around",
            ),
        ] {
            let found = evidence(&lines);
            assert!(
                matches!(&found, Evidence::Unclear(text) if text.contains(why)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn every_usual_time_stamp_is_read() {
        for (stamp, expected) in [
            ("Nov 27 05:00:11", "2026-11-27T05:00:11Z"),
            ("Dec  3 05:00:11", "2025-12-03T05:00:11Z"),
            (
                "2026-11-27T07:00:11.123456+02:00",
                "2026-11-27T05:00:11.123456Z",
            ),
            ("2026-11-27T05:00:11Z", "2026-11-27T05:00:11Z"),
            ("2026-11-27T05:00:11", "2026-11-27T05:00:11Z"),
        ] {
            let raw = format!("{stamp} mx postfix/submission/smtpd[1]: 4A: client=x");
            let line = parse(&raw, &Utc, time("2026-11-27T12:00:00Z")).unwrap();
            assert_eq!(line.at, time(expected), "{stamp}");
            assert_eq!((line.service, line.text), ("smtpd", "4A: client=x"));
            assert_eq!(line.logger, "mx postfix");
        }
        let zone = chrono_tz::Africa::Johannesburg;
        let raw = "Nov 27 07:00:11 mx postfix/qmgr[1]: x";
        let line = parse(raw, &zone, time("2026-11-27T12:00:00Z")).unwrap();
        assert_eq!(line.at, time("2026-11-27T05:00:11Z"));
        for raw in [
            "",
            "garbage",
            "Nov 27",
            "\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc} x",
        ] {
            assert!(parse(raw, &Utc, time("2026-11-27T12:00:00Z")).is_none());
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let long = "x".repeat(1 << 20);
        let lines = [BEFORE, &long, "\n", CLEANUP, ACTIVE].concat();
        assert!(matches!(evidence(&lines), Evidence::Taken(_)));
    }
}
