//! Dates as people write them, and the instants they stand for.

use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Duration, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime,
    Offset, TimeZone, Timelike,
};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::article::ArticleId;

/// What a date may look like; for remedies.
pub(in crate::content) const FORMS: &str =
    "`2026-08-01`, `2026-08-01 07:30` or `2026-08-01T07:30:00+02:00`";

/// A date as written: not yet an instant where the zone or the time is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::content) enum Written {
    /// Date, time and zone.
    Instant(DateTime<FixedOffset>),
    /// Date and time in the publication's zone.
    Local(NaiveDateTime),
    /// A day in the publication's zone.
    Day(NaiveDate),
}

impl Written {
    /// Reads one of [`FORMS`]; also with a space instead of `T`, a zone such
    /// as `+0200`, `Z`, `UTC` or `Africa/Johannesburg`, and without seconds.
    /// `None` when it is nothing of the kind, or not in the years 1900 to 9999.
    pub(in crate::content) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(['T', 't', ' ']).unwrap_or(text.len());
        let day = NaiveDate::parse_from_str(&text[..end], "%Y-%m-%d").ok()?;
        if !(1900..=9999).contains(&day.year()) {
            return None;
        }
        let rest = text[end..].trim_start_matches(['T', 't', ' ']);
        if rest.is_empty() {
            return Some(Self::Day(day));
        }
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | ':' | '.'))
            .unwrap_or(rest.len());
        let time = parse_time(&rest[..end])?;
        let local = day.and_time(time);
        match rest[end..].trim() {
            "" => Some(Self::Local(local)),
            zone => in_zone(local, zone).map(Self::Instant),
        }
    }

    /// The calendar day it falls on in `zone`.
    pub(in crate::content) fn day(self, zone: Tz) -> NaiveDate {
        match self {
            Self::Instant(at) => at.with_timezone(&zone).date_naive(),
            Self::Local(local) => local.date(),
            Self::Day(day) => day,
        }
    }

    /// The instant it stands for, in `zone`. A day alone becomes its midnight
    /// plus 0 to 3599 seconds that depend on `id` only, because feeds want the
    /// times of articles distinct and stable.
    pub(in crate::content) fn instant(self, zone: Tz, id: &ArticleId) -> DateTime<FixedOffset> {
        let start = self.start(zone);
        match self {
            Self::Instant(_) | Self::Local(_) => start,
            Self::Day(_) => (start + seconds_of(id)).with_timezone(&zone).fixed_offset(),
        }
    }

    /// The instant at which it begins, in `zone`: for a day its midnight.
    pub(in crate::content) fn start(self, zone: Tz) -> DateTime<FixedOffset> {
        match self {
            Self::Instant(at) => at.with_timezone(&zone).fixed_offset(),
            Self::Local(local) => resolve(zone, local),
            Self::Day(day) => resolve(zone, day.and_time(NaiveTime::MIN)),
        }
    }
}

/// The first instant with this wall time; in a gap, the first valid one after it.
fn resolve<Z: TimeZone>(zone: Z, mut local: NaiveDateTime) -> DateTime<FixedOffset> {
    loop {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                return at.with_timezone(&at.offset().fix());
            }
            // No zone skips more than a day; gaps end on a whole minute.
            LocalResult::None => local += Duration::minutes(1),
        }
    }
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(text, form).ok())
        // Feeds carry whole seconds.
        .and_then(|time| time.with_nanosecond(0))
}

fn in_zone(local: NaiveDateTime, zone: &str) -> Option<DateTime<FixedOffset>> {
    if matches!(zone, "Z" | "z" | "UTC" | "GMT") {
        return Some(local.and_utc().fixed_offset());
    }
    if let Ok(zone) = Tz::from_str(zone) {
        return Some(resolve(zone, local));
    }
    let digits = zone.strip_prefix(['+', '-'])?.replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = digits
        .get(2..)
        .filter(|m| !m.is_empty())
        .unwrap_or("0")
        .parse()
        .ok()?;
    let seconds = (hours * 60 + minutes) * 60;
    let offset = FixedOffset::east_opt(if zone.starts_with('-') {
        -seconds
    } else {
        seconds
    })?;
    (minutes < 60).then(|| resolve(offset, local))
}

fn seconds_of(id: &ArticleId) -> Duration {
    let hash = Sha256::digest(id.as_str().as_bytes());
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    Duration::seconds(i64::from(number % 3600))
}

/// Date and rest of a file name such as `2026-08-01-green-beans`.
pub(in crate::content) fn from_file_name(stem: &str) -> Option<(NaiveDate, &str)> {
    let day = stem.get(..10)?;
    if !is_digits_with(day, b"dddd-dd-dd") {
        return None;
    }
    let rest = stem[10..].strip_prefix(['-', '_'])?;
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    (!rest.is_empty()).then_some((day, rest))
}

/// The day in a path such as `blog/2026/08/01/green-beans`.
pub(in crate::content) fn from_path(path: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.windows(3).find_map(|part| {
        let is_date = is_digits_with(part[0], b"dddd")
            && is_digits_with(part[1], b"dd")
            && is_digits_with(part[2], b"dd");
        if !is_date {
            return None;
        }
        NaiveDate::from_ymd_opt(
            part[0].parse().ok()?,
            part[1].parse().ok()?,
            part[2].parse().ok()?,
        )
    })
}

/// Whether `text` has a digit wherever `shape` has `d` and else the same byte.
fn is_digits_with(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, want)| match want {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::Africa::Johannesburg;

    fn id(text: &str) -> ArticleId {
        ArticleId::new(text).unwrap()
    }

    #[test]
    fn every_accepted_form_is_the_instant_it_says() {
        for (text, instant) in [
            ("2026-08-01T07:30:00+02:00", "2026-08-01T07:30:00+02:00"),
            ("2026-08-01t05:30:00z", "2026-08-01T07:30:00+02:00"),
            ("2026-08-01T05:30:00.25Z", "2026-08-01T07:30:00+02:00"),
            ("2026-08-01 07:30", "2026-08-01T07:30:00+02:00"),
            ("2026-08-01 07:30:15", "2026-08-01T07:30:15+02:00"),
            ("2026-08-01T07:30:15", "2026-08-01T07:30:15+02:00"),
            ("2026-08-01 05:30:00 +0000", "2026-08-01T07:30:00+02:00"),
            ("2026-08-01 00:30 -05", "2026-08-01T07:30:00+02:00"),
            ("2026-08-01 05:30 UTC", "2026-08-01T07:30:00+02:00"),
            (
                "2026-08-01 07:30 Europe/Berlin",
                "2026-08-01T07:30:00+02:00",
            ),
        ] {
            let written = Written::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                written.instant(ZONE, &id("x")).to_rfc3339(),
                instant,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "01/08/2026",
            "2026-08-01 25:00",
            "2026-08-01 07:30 +25:00",
            "2026-08-01 07:30 Mars/Olympus",
            "2026-08-01 07",
            "0026-08-01",
            "2026-08-01T",
            "2026-08-01é",
        ] {
            let day_only = text == "2026-08-01T";
            assert_eq!(Written::parse(text).is_some(), day_only, "{text}");
        }
    }

    #[test]
    fn a_day_alone_is_stable_and_within_its_first_hour() {
        let day = Written::parse("2026-08-01").unwrap();
        let at = day.instant(ZONE, &id("tag:a"));
        assert_eq!(at, day.instant(ZONE, &id("tag:a")));
        assert_ne!(at, day.instant(ZONE, &id("tag:b")));
        assert_eq!(at.hour(), 0);
        assert_eq!(at.date_naive().to_string(), "2026-08-01");
    }

    #[test]
    fn a_wall_time_that_does_not_exist_is_the_first_one_after_the_gap() {
        let gap = Written::parse("2026-03-29 02:30").unwrap();
        let at = gap.instant(chrono_tz::Europe::Berlin, &id("x"));
        assert_eq!(at.to_rfc3339(), "2026-03-29T03:00:00+02:00");
        // Midnight itself is skipped in some zones.
        let day = Written::parse("2018-11-04").unwrap();
        let at = day.instant(chrono_tz::America::Sao_Paulo, &id("x"));
        assert_eq!(at.date_naive().to_string(), "2018-11-04");
    }

    #[test]
    fn file_names_and_paths_carry_dates() {
        let day = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();
        assert_eq!(
            from_file_name("2026-08-01-green-beans"),
            Some((day, "green-beans"))
        );
        assert_eq!(from_file_name("2026-08-01"), None);
        assert_eq!(from_file_name("2026-99-01-x"), None);
        assert_eq!(from_path("/blog/2026/08/01/green-beans"), Some(day));
        assert_eq!(from_path("2026/8/1/x"), None);
        assert_eq!(from_path("1/2/3"), None);
    }
}
