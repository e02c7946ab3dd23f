//! What a language tag (BCP 47) decides about print: direction and dates.

use chrono::{DateTime, FixedOffset};

/// `rtl` for languages whose usual script runs from right to left, else `ltr`.
#[must_use]
pub fn direction(language: &str) -> &'static str {
    match primary(language).as_str() {
        "ar" | "arc" | "ckb" | "dv" | "fa" | "he" | "ps" | "sd" | "ug" | "ur" | "yi" => "rtl",
        _ => "ltr",
    }
}

/// A day in words for English, as ISO 8601 for any other language.
#[must_use]
pub fn day_text(date: DateTime<FixedOffset>, language: &str) -> String {
    let format = if is_english(language) {
        "%-d %B %Y"
    } else {
        "%Y-%m-%d"
    };
    date.format(format).to_string()
}

fn is_english(language: &str) -> bool {
    primary(language) == "en"
}

/// The primary subtag of a language tag, in lower case.
#[must_use]
pub fn primary(language: &str) -> String {
    let tag = language.split('-').next().unwrap_or_default();
    tag.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arabic_runs_from_right_to_left() {
        assert_eq!(direction("ar-EG"), "rtl");
        assert_eq!(direction("en-ZA"), "ltr");
    }

    #[test]
    fn a_date_is_in_words_where_we_know_them() {
        let date = DateTime::parse_from_rfc3339("2026-11-27T07:00:00+02:00").unwrap();
        assert_eq!(day_text(date, "EN-za"), "27 November 2026");
        assert_eq!(day_text(date, "xh"), "2026-11-27");
    }
}
