//! Text from outside made fit for one line: header values, titles, names, terminals.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// One clean line: controls and line breaks become one space, runs of space
/// collapse, bidirectional controls and other invisible format characters go,
/// and the rest is NFC.
///
/// This is what keeps a title with a line break and `Bcc:` one title.
#[must_use]
pub fn one_line(raw: &str) -> String {
    if is_plain_line(raw) {
        return raw.to_owned();
    }
    // Nearly all text is composed already, and composing is slow.
    if is_nfc_quick(raw.chars()) == IsNormalized::Yes {
        one_line_of(raw.chars(), raw.len())
    } else {
        one_line_of(raw.nfc(), raw.len())
    }
}

/// Whether it certainly is one clean line, as nearly all text is.
fn is_plain_line(text: &str) -> bool {
    let has_ends = text.starts_with(' ') || text.ends_with(' ');
    let is_odd = |byte| !matches!(byte, b' '..=b'~');
    !(has_ends || text.contains("  ") || has_byte(text, is_odd))
}

fn one_line_of(chars: impl Iterator<Item = char>, length: usize) -> String {
    let mut line = String::with_capacity(length);
    let mut space_pending = false;
    for c in chars {
        if is_invisible(c) {
            continue;
        }
        if c.is_control() || c.is_whitespace() {
            space_pending = !line.is_empty();
        } else {
            if space_pending {
                line.push(' ');
                space_pending = false;
            }
            line.push(c);
        }
    }
    line
}

/// `text` cut to at most `max` characters, between graphemes, with an ellipsis
/// in place of what was cut.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut count = 0;
    for grapheme in text.graphemes(true) {
        count += grapheme.chars().count();
        if count >= max {
            break;
        }
        kept.push_str(grapheme);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// A number with its thousands set apart: `41,200`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text that keeps its lines but loses what no reader should receive: NUL and
/// the other controls except tab and line feed. Line ends become `\n`.
#[must_use]
pub fn many_lines(raw: &str) -> Cow<'_, str> {
    if !has_controls(raw) {
        return Cow::Borrowed(raw);
    }
    let kept = raw
        .replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\r' { '\n' } else { c })
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect();
    Cow::Owned(kept)
}

/// Whether there is a control in it other than tab and line feed.
#[must_use]
pub fn has_controls(text: &str) -> bool {
    // C0 and DEL are bytes of their own; what begins C1 is no other byte.
    let is_suspect =
        |byte| matches!(byte, 0..=0x1F | 0x7F | 0xC2) && !matches!(byte, b'\n' | b'\t');
    has_byte(text, is_suspect)
        && text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Whether one of the bytes is of a kind. They are looked through many at a
/// time, so that whole articles can be asked for what nearly none has.
pub fn has_byte(text: &str, is_wanted: impl Fn(u8) -> bool) -> bool {
    let mut some = text.as_bytes().chunks(64);
    some.any(|some| {
        some.iter()
            .fold(false, |found, &byte| found | is_wanted(byte))
    })
}

/// Bidirectional controls (U+202A–202E, U+2066–2069, U+200E/F), the zero-width
/// and other default-ignorable format characters. Zero-width (non-)joiner and
/// variation selectors stay: emoji and several scripts need them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{061C}'
            | '\u{00AD}'
            | '\u{034F}'
            | '\u{180E}'
            | '\u{200B}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E001F}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 41_200, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "41,200", "1,234,567"]);
    }

    #[test]
    fn a_line_break_in_a_title_becomes_a_space() {
        assert_eq!(
            one_line("Five soups\r\nBcc: victim@example.org\u{0}\u{1b}[31m"),
            "Five soups Bcc: victim@example.org [31m"
        );
        assert_eq!(one_line("a\u{2028}b\u{85}c"), "a b c");
        for (raw, line) in [(" a  b\tc ", "a b c"), ("a b", "a b"), ("", ""), (" ", "")] {
            assert_eq!(one_line(raw), line);
        }
    }

    #[test]
    fn controls_are_found_wherever_they_stand() {
        let long = "Crème brûlée\twith\nsalt – ".repeat(20);
        assert!(!has_controls(&long) && !has_controls(""));
        for control in ["\0", "\r", "\u{1F}", "\u{7F}", "\u{80}", "\u{9F}"] {
            assert!(has_controls(&format!("{long}{control}")), "{control:?}");
            assert!(has_controls(&format!("{control}{long}")), "{control:?}");
        }
    }

    #[test]
    fn overrides_vanish_and_emoji_sequences_stay() {
        assert_eq!(one_line("ab\u{202E}cd\u{200B}"), "abcd");
        assert_eq!(one_line("👩\u{200D}🍳"), "👩\u{200D}🍳");
    }

    #[test]
    fn cutting_never_splits_a_grapheme() {
        let family = "👨\u{200D}👩\u{200D}👧";
        let text = format!("{}{}", "a".repeat(5), family);
        let short = cut(&text, 8);
        assert_eq!(short, "aaaaa…");
        assert_eq!(cut("short", 10), "short");
        assert!(cut(&"x".repeat(1000), 255).chars().count() <= 255);
    }
}
