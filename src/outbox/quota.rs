//! A spent quota: relays have no code of their own for it, only words.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::domain::delivery::Reply;

/// What relays say when a quota is spent.
const WORDS: [&str; 11] = [
    "daily quota",
    "daily sending quota",
    "daily user sending quota",
    "daily user sending limit",
    "daily sending limit",
    "daily smtp relay",
    "daily limit",
    "dailylimitexceeded",
    "daily message",
    "quota exceeded for today",
    "hourly quota",
];

/// Nothing that a relay says keeps us away for longer than this.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// Whether a reply says that a quota of ours is spent.
pub(super) fn is_spent(reply: &Reply) -> bool {
    let text = reply.text.to_ascii_lowercase();
    // Gmail says it as if it were for good, of a sender with 5.4.5 and of a
    // whole customer with 5.7.1. Of other 5xx it is said of a mailbox.
    let may_be = reply.is_temporary()
        || reply.has(&[(5, 4, 5)])
        || (reply.has(&[(5, 7, 1)]) && text.contains("daily smtp relay"));
    may_be && WORDS.iter().any(|words| text.contains(words))
}

/// Until when the relay takes no more: a time it names, a span it names, or
/// the beginning of the next day in UTC.
pub(super) fn until(reply: &Reply, now: DateTime<Utc>) -> DateTime<Utc> {
    let words: Vec<&str> = reply
        .text
        .split(|c: char| c.is_whitespace() || "()[],;\"'".contains(c))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    let named = named_time(&words)
        .or_else(|| named_span(&words).and_then(|span| now.checked_add_signed(span)));
    named
        .filter(|time| *time > now && *time - now <= LONGEST)
        .unwrap_or_else(|| tomorrow(now))
}

fn tomorrow(now: DateTime<Utc>) -> DateTime<Utc> {
    let day = now.date_naive();
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    next.and_time(NaiveTime::MIN).and_utc()
}

/// `2026-11-23T00:00:00Z`, `2026-11-23 00:00 UTC` or `2026-11-23`.
fn named_time(words: &[&str]) -> Option<DateTime<Utc>> {
    words.iter().enumerate().find_map(|(at, word)| {
        if let Ok(time) = DateTime::parse_from_rfc3339(word) {
            return Some(time.with_timezone(&Utc));
        }
        if let Ok(time) = word.parse::<NaiveDateTime>() {
            return Some(time.and_utc());
        }
        let day = word.parse::<NaiveDate>().ok()?;
        let next = words
            .get(at + 1)
            .map_or("", |next| next.trim_end_matches('Z'));
        let time = NaiveTime::parse_from_str(next, "%H:%M:%S")
            .or_else(|_| NaiveTime::parse_from_str(next, "%H:%M"))
            .unwrap_or(NaiveTime::MIN);
        Some(day.and_time(time).and_utc())
    })
}

/// `in 3 hours`, `after 3600 seconds`.
fn named_span(words: &[&str]) -> Option<TimeDelta> {
    words.windows(3).find_map(|three| {
        let [before, number, unit] = three else {
            return None;
        };
        if !["in", "after", "for"].contains(&before.to_ascii_lowercase().as_str()) {
            return None;
        }
        let number: i32 = number.parse().ok()?;
        let unit = unit.to_ascii_lowercase();
        Some(match unit.trim_end_matches('s') {
            "second" | "sec" => TimeDelta::seconds(number.into()),
            "minute" | "min" => TimeDelta::minutes(number.into()),
            "hour" => TimeDelta::hours(number.into()),
            "day" => TimeDelta::days(number.into()),
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_left_alone_until_the_time_it_names_or_the_next_day() {
        let now: DateTime<Utc> = "2026-11-22T14:10:00Z".parse().unwrap();
        for (text, expected) in [
            ("Daily quota exceeded", "2026-11-23T00:00:00Z"),
            (
                "4.7.0 daily quota exceeded, try again at 2026-11-22 18:30 UTC",
                "2026-11-22T18:30:00Z",
            ),
            (
                "daily limit reached (resets 2026-11-23T06:00:00+02:00)",
                "2026-11-23T04:00:00Z",
            ),
            (
                "daily limit reached until 2026-11-24.",
                "2026-11-24T00:00:00Z",
            ),
            ("daily limit; retry in 3 hours", "2026-11-22T17:10:00Z"),
            (
                "daily limit; retry after 600 seconds",
                "2026-11-22T14:20:00Z",
            ),
            // The past, and a far future, are mistakes.
            ("daily limit since 2026-11-22 00:00", "2026-11-23T00:00:00Z"),
            ("daily limit until 2036-01-01", "2026-11-23T00:00:00Z"),
        ] {
            let reply = Reply::new(454, text);
            assert!(is_spent(&reply), "{text}");
            assert_eq!(
                until(&reply, now),
                expected.parse::<DateTime<Utc>>().unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_spent_quota_is_ours_and_not_that_of_a_mailbox() {
        for (code, text, expected) in [
            (550, "5.4.5 Daily user sending limit exceeded.", true),
            (550, "5.4.5 Daily sending quota exceeded", true),
            (550, "5.4.5 https://example.net/?p=DailyLimitExceeded", true),
            (550, "5.7.1 Daily SMTP relay limit exceeded", true),
            (550, "5.7.1 over the daily limit of this list", false),
            (550, "5.4.5 congested", false),
            (552, "5.2.2 daily quota of this mailbox exceeded", false),
            (452, "4.2.2 mailbox full", false),
        ] {
            assert_eq!(is_spent(&Reply::new(code, text)), expected, "{text}");
        }
    }
}
