//! When a digest is due: a cron expression over local wall time.
//!
//! A slot is a local date and time, not an instant. That makes daylight saving
//! harmless: a time the clock skips is due at the first instant after the gap,
//! and a time it shows twice is the same slot both times.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// One scheduled local date-time of a digest, such as `2026-11-27T07:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub NaiveDateTime);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M"))
    }
}

impl FromStr for Slot {
    type Err = chrono::ParseError;

    fn from_str(raw: &str) -> Result<Self, chrono::ParseError> {
        NaiveDateTime::parse_from_str(raw, "%Y-%m-%dT%H:%M").map(Self)
    }
}

/// A cron expression and the zone its wall clock hangs in.
#[derive(Debug, Clone)]
pub struct Schedule {
    expression: String,
    cron: Cron,
    zone: Tz,
}

/// The expression is not cron.
#[derive(Debug, thiserror::Error)]
#[error("`{expression}` is not a cron expression of five fields (minute hour day month weekday)")]
pub struct ScheduleError {
    expression: String,
    #[source]
    source: croner::errors::CronError,
}

/// What a schedule says at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// The slot to act on now: the newest of those due.
    pub slot: Option<Slot>,
    /// Older due slots that this one makes up for.
    pub caught_up: Vec<Slot>,
    /// Slots that passed longer ago than the limit: skipped.
    pub missed: Vec<Slot>,
}

/// Beyond this many slots between two runs the oldest are no longer counted.
const MOST_SLOTS: usize = 10_000;

impl Schedule {
    /// Parses a five-field cron expression; weekday and month names are allowed.
    ///
    /// # Errors
    /// When the expression is not cron.
    pub fn parse(expression: &str, zone: Tz) -> Result<Self, ScheduleError> {
        let cron = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Disallowed)
            .year(croner::parser::Year::Disallowed)
            .build()
            .parse(expression)
            .map_err(|source| ScheduleError {
                expression: expression.to_owned(),
                source,
            })?;
        Ok(Self {
            expression: expression.to_owned(),
            cron,
            zone,
        })
    }

    /// As written.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The instant of a slot. In a gap: the first valid instant after it. In an
    /// overlap: the first of the two.
    #[must_use]
    pub fn instant(&self, slot: Slot) -> DateTime<Utc> {
        let mut local = slot.0;
        loop {
            match self.zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                    return at.with_timezone(&Utc);
                }
                // No zone skips more than a day; gaps end on a whole minute.
                LocalResult::None => local += Duration::minutes(1),
            }
        }
    }

    /// The next `count` slots whose instant is later than `now`.
    #[must_use]
    pub fn upcoming(&self, now: DateTime<Utc>, count: usize) -> Vec<Slot> {
        // Two hours back: a slot inside a gap has an instant after its label.
        let from = now.with_timezone(&self.zone).naive_local() - Duration::hours(2);
        self.labels_after(from)
            .filter(|slot| self.instant(*slot) > now)
            .take(count)
            .collect()
    }

    /// The newest slot whose instant is not after `now`, looking back `back`.
    #[must_use]
    pub fn newest(&self, now: DateTime<Utc>, back: Duration) -> Option<Slot> {
        self.passed(now - back, now).last()
    }

    /// What is due at `now` when `cursor` is the last slot that was dealt with.
    ///
    /// Without a cursor only the newest slot counts, and only if it is not
    /// older than `max_late`. With one, every later slot counts: those within
    /// `max_late` make one issue for the newest, older ones are missed.
    #[must_use]
    pub fn due(&self, cursor: Option<Slot>, now: DateTime<Utc>, max_late: Duration) -> Due {
        let Some(cursor) = cursor else {
            return Due {
                slot: self.newest(now, max_late),
                ..Due::default()
            };
        };
        let mut due = Due::default();
        let (mut timely, missed): (Vec<Slot>, Vec<Slot>) = self
            .passed(self.instant(cursor), now)
            .filter(|slot| *slot > cursor)
            .take(MOST_SLOTS)
            .partition(|slot| now - self.instant(*slot) <= max_late);
        due.slot = timely.pop();
        due.caught_up = timely;
        due.missed = missed;
        due
    }

    /// Slots whose instant lies in `(from, to]` or up to two hours before
    /// `from`'s label; callers filter further.
    fn passed(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        let start = from.with_timezone(&self.zone).naive_local() - Duration::hours(2);
        let last = to.with_timezone(&self.zone).naive_local() + Duration::hours(2);
        self.labels_after(start)
            .take_while(move |slot| slot.0 <= last)
            .filter(move |slot| {
                let at = self.instant(*slot);
                at >= from && at <= to
            })
    }

    /// Labels after `from`, in order; ends where the expression has no more.
    fn labels_after(&self, from: NaiveDateTime) -> impl Iterator<Item = Slot> {
        std::iter::successors(self.next_label(from), |slot| self.next_label(slot.0))
    }

    fn next_label(&self, from: NaiveDateTime) -> Option<Slot> {
        // The cron expression runs over wall time as if it had no zone: UTC has
        // neither gaps nor overlaps, so every label comes out exactly once.
        self.cron
            .find_next_occurrence(&from.and_utc(), false)
            .ok()
            .map(|at| Slot(at.naive_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn slot(text: &str) -> Slot {
        text.parse().unwrap()
    }

    fn friday() -> Schedule {
        Schedule::parse("0 7 * * FRI", chrono_tz::Africa::Johannesburg).unwrap()
    }

    #[test]
    fn the_first_run_takes_the_newest_slot_within_the_limit() {
        let day = Duration::hours(24);
        let due = friday().due(None, at("2026-11-27T08:00:00+02:00"), day);
        assert_eq!(due.slot, Some(slot("2026-11-27T07:00")));
        assert!(due.missed.is_empty());
        let due = friday().due(None, at("2026-11-28T07:00:01+02:00"), day);
        assert_eq!(due, Due::default());
    }

    #[test]
    fn several_slots_make_one_issue_and_old_ones_are_missed() {
        let daily = Schedule::parse("0 7 * * *", chrono_tz::Europe::Berlin).unwrap();
        let due = daily.due(
            Some(slot("2026-11-01T07:00")),
            at("2026-11-05T08:00:00+01:00"),
            Duration::hours(30),
        );
        assert_eq!(due.slot, Some(slot("2026-11-05T07:00")));
        assert_eq!(due.caught_up, [slot("2026-11-04T07:00")]);
        assert_eq!(
            due.missed,
            [slot("2026-11-02T07:00"), slot("2026-11-03T07:00")]
        );
        let again = daily.due(
            due.slot,
            at("2026-11-05T08:15:00+01:00"),
            Duration::hours(30),
        );
        assert_eq!(again, Due::default());
    }

    #[test]
    fn a_skipped_local_time_is_due_right_after_the_gap() {
        let night = Schedule::parse("30 2 * * *", chrono_tz::Europe::Berlin).unwrap();
        let gap = slot("2026-03-29T02:30");
        assert_eq!(night.instant(gap), at("2026-03-29T03:00:00+02:00"));
        let before = night.due(
            Some(slot("2026-03-28T02:30")),
            at("2026-03-29T01:59:00+01:00"),
            Duration::hours(24),
        );
        assert_eq!(before.slot, None);
        let after = night.due(
            Some(slot("2026-03-28T02:30")),
            at("2026-03-29T03:00:00+02:00"),
            Duration::hours(24),
        );
        assert_eq!(after.slot, Some(gap));
    }

    #[test]
    fn a_repeated_local_time_is_one_slot() {
        let night = Schedule::parse("30 2 * * *", chrono_tz::Europe::Berlin).unwrap();
        let twice = slot("2026-10-25T02:30");
        let first = night.due(
            Some(slot("2026-10-24T02:30")),
            at("2026-10-25T02:30:00+02:00"),
            Duration::hours(24),
        );
        assert_eq!(first.slot, Some(twice));
        let second = night.due(
            Some(twice),
            at("2026-10-25T02:30:00+01:00"),
            Duration::hours(24),
        );
        assert_eq!(second, Due::default());
    }

    #[test]
    fn half_hour_gaps_exist_too() {
        let night = Schedule::parse("15 2 * * *", chrono_tz::Australia::Lord_Howe).unwrap();
        assert_eq!(
            night.instant(slot("2026-10-04T02:15")),
            at("2026-10-04T02:30:00+11:00")
        );
    }

    #[test]
    fn upcoming_slots_come_in_order() {
        let next = friday().upcoming(at("2026-11-27T07:00:00+02:00"), 2);
        assert_eq!(next, [slot("2026-12-04T07:00"), slot("2026-12-11T07:00")]);
    }

    #[test]
    fn nonsense_is_refused_with_the_expected_form() {
        let error = Schedule::parse("every friday", chrono_tz::UTC).unwrap_err();
        assert!(error.to_string().contains("five fields"), "{error}");
        assert!(Schedule::parse("0 0 7 * * FRI", chrono_tz::UTC).is_err());
    }
}
