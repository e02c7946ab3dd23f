//! What a request says about what its sender has, wants and can read
//! (RFC 9110, 8, 12, 13 and 14).

use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};

use crate::config::settings::Compression;

/// A header that lists more than this is no honest one.
const MOST_LISTED: usize = 32;

/// The tokens of a list header with their weights, in thousandths (12.4.2).
fn weighted(headers: &HeaderMap, name: header::HeaderName) -> Vec<(String, u16)> {
    let lines = headers.get_all(name).iter();
    let parts = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    let listed = parts.take(MOST_LISTED).filter_map(|part| {
        let mut part = part.split(';').map(str::trim);
        let token = part.next().filter(|token| !token.is_empty())?;
        let weight = part.find_map(|param| param.strip_prefix("q=").or(param.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok());
        let weight = weight.filter(|weight| (0.0..=1.0).contains(weight))?;
        // In range, hence no loss.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some((token.to_ascii_lowercase(), (weight * 1000.0).round() as u16))
    });
    listed.collect()
}

/// The compressed forms that are welcome, the best first.
pub(super) fn codings(headers: &HeaderMap) -> Vec<Compression> {
    let listed = weighted(headers, header::ACCEPT_ENCODING);
    let weight = |coding: Compression| {
        let named = listed.iter().find(|(token, _)| token == name(coding));
        let any = || listed.iter().find(|(token, _)| token == "*");
        named.or_else(any).map_or(0, |(_, weight)| *weight)
    };
    // Of equals, the smallest as a rule.
    let order = [
        Compression::Brotli,
        Compression::Zstandard,
        Compression::Gzip,
    ];
    let mut welcome: Vec<(Compression, u16)> = order
        .into_iter()
        .map(|coding| (coding, weight(coding)))
        .filter(|(_, weight)| *weight > 0)
        .collect();
    welcome.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    welcome.into_iter().map(|(coding, _)| coding).collect()
}

/// What a content coding is called (IANA HTTP content coding registry).
pub(super) fn name(coding: Compression) -> &'static str {
    match coding {
        Compression::Gzip => "gzip",
        Compression::Brotli => "br",
        Compression::Zstandard => "zstd",
    }
}

/// The languages that are welcome, the best first; only what looks like a tag.
pub(super) fn languages(headers: &HeaderMap) -> Vec<String> {
    let mut listed = weighted(headers, header::ACCEPT_LANGUAGE);
    listed.retain(|(tag, weight)| {
        let is_plain = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        *weight > 0 && is_plain && (2..=35).contains(&tag.len())
    });
    listed.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    listed.into_iter().map(|(tag, _)| tag).collect()
}

/// By what a form of a file is known again.
pub(super) struct Validators<'f> {
    /// With its quotes.
    pub(super) tag: &'f str,
    pub(super) modified: DateTime<Utc>,
}

/// A moment as HTTP writes it (5.6.7).
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Whether the sender has this already (13.1.2, 13.1.3).
pub(super) fn is_known(headers: &HeaderMap, of: &Validators<'_>) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let tags = tags.flat_map(|line| line.to_str().unwrap_or_default().split(','));
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        return tags
            .take(MOST_LISTED)
            .any(|tag| bare(tag) == of.tag || tag.trim() == "*");
    }
    date(headers, header::IF_MODIFIED_SINCE)
        .is_some_and(|since| of.modified.timestamp() <= since.timestamp())
}

fn date(headers: &HeaderMap, name: header::HeaderName) -> Option<DateTime<Utc>> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

/// Which part of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// All of it.
    Whole,
    /// One part.
    Part {
        /// Its first byte.
        first: u64,
        /// How long it is; never nothing.
        length: u64,
    },
    /// A part that the file does not have.
    Beyond,
}

/// The part that is asked for: players seek in a podcast. Several parts at
/// once, and what cannot be read, count as the whole (14.2).
pub(super) fn span(headers: &HeaderMap, of: &Validators<'_>, size: u64) -> Span {
    let Some(range) = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok())
    else {
        return Span::Whole;
    };
    if let Some(condition) = headers.get(header::IF_RANGE) {
        let is_same = condition == of.tag
            || date(headers, header::IF_RANGE)
                .is_some_and(|date| date.timestamp() == of.modified.timestamp());
        if !is_same {
            return Span::Whole;
        }
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Span::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last) = match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            Some(0) => return Span::Beyond,
            Some(suffix) => (size.saturating_sub(suffix), size),
            None => return Span::Whole,
        },
        (first, "") => match number(first) {
            Some(first) => (first, size),
            None => return Span::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1)),
            _ => return Span::Whole,
        },
    };
    match first < size {
        true => Span::Part {
            first,
            length: last.min(size) - first,
        },
        false => Span::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_best_welcome_coding_comes_first() {
        use Compression::{Brotli, Gzip, Zstandard};
        for (accepted, best) in [
            ("gzip, deflate, br, zstd", vec![Brotli, Zstandard, Gzip]),
            ("gzip;q=1.0, br;q=0.5", vec![Gzip, Brotli]),
            ("br;q=0, *", vec![Zstandard, Gzip]),
            ("identity", vec![]),
            ("", vec![]),
            ("gzip;q=7", vec![]),
        ] {
            assert_eq!(
                codings(&with(header::ACCEPT_ENCODING, accepted)),
                best,
                "{accepted}"
            );
        }
    }

    #[test]
    fn languages_are_told_by_their_weight_and_nothing_else_gets_through() {
        let header = with(
            header::ACCEPT_LANGUAGE,
            "de;q=0.5, af-ZA, \"><b>, *;q=0.1, en;q=0",
        );
        assert_eq!(languages(&header), ["af-za", "de"]);
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let modified = DateTime::from_timestamp(1_790_000_000, 500).unwrap();
        let of = Validators {
            tag: "\"a-1br\"",
            modified,
        };
        let date = http_date(modified);
        for (name, value, known) in [
            (header::IF_NONE_MATCH, "\"a-1br\"", true),
            (header::IF_NONE_MATCH, "\"b\", W/\"a-1br\"", true),
            (header::IF_NONE_MATCH, "*", true),
            (header::IF_NONE_MATCH, "\"a-1\"", false),
            (header::IF_MODIFIED_SINCE, date.as_str(), true),
            (
                header::IF_MODIFIED_SINCE,
                "Mon, 01 Jan 2024 00:00:00 GMT",
                false,
            ),
            (header::IF_MODIFIED_SINCE, "yesterday", false),
        ] {
            assert_eq!(is_known(&with(name, value), &of), known, "{value}");
        }
    }

    #[test]
    fn a_part_is_what_was_asked_for_and_lies_in_the_file() {
        let of = Validators {
            tag: "\"a\"",
            modified: DateTime::UNIX_EPOCH,
        };
        let part = |first, length| Span::Part { first, length };
        for (range, found) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-1", part(0, 2)),
            ("bytes=90-", part(90, 10)),
            ("bytes=-10", part(90, 10)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=50-1000", part(50, 50)),
            ("bytes=50-18446744073709551615", part(50, 50)),
            ("bytes=100-", Span::Beyond),
            ("bytes=-0", Span::Beyond),
            ("bytes=9-3", Span::Whole),
            ("bytes=0-1,5-6", Span::Whole),
            ("lines=1-2", Span::Whole),
        ] {
            assert_eq!(
                span(&with(header::RANGE, range), &of, 100),
                found,
                "{range}"
            );
        }
        let mut stale = with(header::RANGE, "bytes=0-1");
        stale.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(span(&stale, &of, 100), Span::Whole);
        assert_eq!(
            span(&with(header::RANGE, "bytes=0-1"), &of, 0),
            Span::Beyond
        );
    }
}
