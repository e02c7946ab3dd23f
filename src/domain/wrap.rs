//! Running text in lines, for terminals and for the text part of mail.

use textwrap::WordSeparator;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Lines of running text of at most so many columns, broken where the script
/// allows it; an address is never broken, another word only if it is wider
/// than a line. Columns are counted as terminals and mail clients show them
/// (UAX 11): two for an ideograph, two for an emoji of several characters.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    lines(text, |_| columns, true)
}

/// The same, with `first` before the first line and `indent` before the others,
/// and every word whole.
#[must_use]
pub fn wrap_words(text: &str, columns: usize, first: &str, indent: &str) -> String {
    let before = |line: usize| if line == 0 { first } else { indent };
    let room = |line: usize| columns.saturating_sub(before(line).width());
    let lines = lines(text, room, false);
    let indented = lines
        .iter()
        .enumerate()
        .map(|(at, line)| match line.as_str() {
            "" => String::new(),
            line => format!("{}{line}", before(at)),
        });
    indented.collect::<Vec<_>>().join("\n")
}

fn lines(text: &str, room: impl Fn(usize) -> usize, breaks_words: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let text = text.trim();
    if !text.is_empty() {
        for part in text.split('\n') {
            wrap_part(part.trim(), &room, breaks_words, &mut lines);
        }
    }
    lines
}

fn wrap_part(
    text: &str,
    room: impl Fn(usize) -> usize,
    breaks_words: bool,
    lines: &mut Vec<String>,
) {
    let mut line = String::new();
    let mut width = 0;
    for piece in pieces(text) {
        let word = piece.trim_end();
        let wide = word.width();
        if width > 0 && width + wide > room(lines.len()) {
            lines.push(line.trim_end().to_owned());
            (line, width) = (String::new(), 0);
        }
        if breaks_words && wide > room(lines.len()) && !is_address(word) {
            for grapheme in word.graphemes(true) {
                if width > 0 && width + grapheme.width() > room(lines.len()) {
                    lines.push(std::mem::take(&mut line));
                    width = 0;
                }
                line.push_str(grapheme);
                width += grapheme.width();
            }
        } else {
            line.push_str(word);
            width += wide;
        }
        let gap = &piece[word.len()..];
        line.push_str(gap);
        width += gap.width();
    }
    lines.push(line.trim_end().to_owned());
}

/// What may stand on lines of its own, each with the space that follows
/// (UAX 14), but addresses whole.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut ends = Vec::new();
    let mut end = 0;
    for word in WordSeparator::UnicodeBreakProperties.find_words(text) {
        end += word.word.len() + word.whitespace.len();
        ends.push(end);
    }
    ends.retain(|&end| {
        let (before, after) = text.split_at(end);
        if after.is_empty() || before.ends_with(char::is_whitespace) {
            return true;
        }
        let start = before.rfind(' ').map_or(0, |at| at + 1);
        let stop = after.find(' ').map_or(text.len(), |at| end + at);
        !is_address(&text[start..stop])
    });
    let mut start = 0;
    ends.into_iter().map(move |end| {
        let piece = &text[start..end];
        start = end;
        piece
    })
}

/// Whether this word is an address, which leads elsewhere when it is altered.
#[must_use]
pub fn is_address(word: &str) -> bool {
    word.contains("://") || word.contains("mailto:") || word.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_wide_as_it_is_shown() {
        // Three people with joiners are one emoji of two columns.
        let family = "\u{1F469}\u{200D}\u{1F469}\u{200D}\u{1F467}";
        let ten = [family; 10].join(" ");
        assert_eq!(wrap_words(&ten, 29, "", ""), ten);
        assert_eq!(wrap_words(&ten, 28, "", "").lines().count(), 2);
        assert_eq!(
            wrap_words("\u{4F60}\u{597D}\u{4E16}", 4, "", ""),
            "\u{4F60}\u{597D}\n\u{4E16}"
        );
    }

    #[test]
    fn indents_count_and_long_words_stay_whole() {
        let text = "one two https://example.org/a-long-way three\n\nfour";
        assert_eq!(
            wrap_words(text, 12, "- ", "  "),
            "- one two\n  https://example.org/a-long-way\n  three\n\n  four"
        );
        assert_eq!(
            wrap_words("abcdefghijklm no", 8, "", ""),
            "abcdefghijklm\nno"
        );
        assert_eq!(wrap("abcdefghijklm no", 8), ["abcdefgh", "ijklm no"]);
        assert_eq!(wrap_words("", 8, "- ", "  "), "");
    }
}
