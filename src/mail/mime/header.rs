//! Header fields: ASCII as it is, all else as encoded-words, folded.

use std::fmt::Write as _;

use email_encoding::headers::{rfc2047, writer::EmailWriter};

/// A field of unstructured text such as Subject, with its line end.
pub(super) fn unstructured(name: &str, value: &str) -> String {
    let mut field = format!("{name}: ");
    write_folded(&mut field, |w| write_words(value, w));
    field.push_str("\r\n");
    field
}

/// `name <address>` or the bare address, folded; `column` is where it begins
/// on its line.
pub(in crate::mail) fn mailbox(name: &str, address: &str, column: usize) -> String {
    angled(name, address, column, false)
}

/// `phrase <id>` of a List-Id (RFC 2919 3): brackets even without a phrase.
pub(super) fn list_id(phrase: &str, id: &str) -> String {
    angled(phrase, id, "List-Id: ".len(), true)
}

fn angled(phrase: &str, inside: &str, column: usize, always_brackets: bool) -> String {
    if phrase.is_empty() && !always_brackets {
        return inside.to_owned();
    }
    // The writer counts columns from the start of the line; blanks stand for
    // what is already on it.
    let mut value = " ".repeat(column);
    write_folded(&mut value, |w| {
        write_phrase(phrase, w)?;
        if !phrase.is_empty() {
            w.space();
        }
        w.folding().write_str(&format!("<{inside}>"))
    });
    value.split_off(column)
}

fn write_folded(out: &mut String, write: impl FnOnce(&mut EmailWriter<'_>) -> std::fmt::Result) {
    let line_len = out.len();
    let mut writer = EmailWriter::new(out, line_len, 0, false);
    write(&mut writer).expect("writing to a String cannot fail");
}

/// A phrase (RFC 5322 3.2.5): atoms, a quoted string, or encoded-words, which
/// never stand inside quotes (RFC 2047 5).
fn write_phrase(phrase: &str, w: &mut EmailWriter<'_>) -> std::fmt::Result {
    if needs_encoding(phrase) {
        return rfc2047::encode(phrase, w);
    }
    let is_atoms = phrase
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~ ".contains(&b));
    if is_atoms {
        return w.folding().write_str(phrase);
    }
    let quoted = phrase.replace('\\', "\\\\").replace('"', "\\\"");
    w.folding().write_str(&format!("\"{quoted}\""))
}

/// Words of unstructured text: from the first word that needs encoding to the
/// last one, all in one run of encoded-words; the rest as it is.
fn write_words(value: &str, w: &mut EmailWriter<'_>) -> std::fmt::Result {
    let words: Vec<&str> = value.split(' ').collect();
    let first = words.iter().position(|word| needs_encoding(word));
    let last = words.iter().rposition(|word| needs_encoding(word));
    let (Some(first), Some(last)) = (first, last) else {
        return w.folding().write_str(value);
    };
    if first > 0 {
        w.folding().write_str(&words[..first].join(" "))?;
        w.space();
        // An encoded-word that begins near the end of a line would be a
        // stump; a fresh line holds a whole one.
        if w.line_len() > 50 {
            w.new_line()?;
        }
    }
    rfc2047::encode(&words[first..=last].join(" "), w)?;
    if last + 1 < words.len() {
        w.space();
        w.folding().write_str(&words[last + 1..].join(" "))?;
    }
    Ok(())
}

/// Beyond printable ASCII, or ASCII that a reader would take for an
/// encoded-word.
fn needs_encoding(text: &str) -> bool {
    text.contains("=?") || !text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed_subject(field: &str) -> String {
        let raw = format!("{field}\r\nx\r\n");
        let message = mail_parser::MessageParser::default()
            .parse(raw.as_bytes())
            .unwrap();
        message.subject().unwrap().to_owned()
    }

    #[test]
    fn ascii_stays_as_it_is() {
        assert_eq!(
            unstructured("Subject", "Five soups and 3 more"),
            "Subject: Five soups and 3 more\r\n"
        );
    }

    #[test]
    fn a_subject_survives_the_way_whatever_it_holds() {
        let long = "Ünï ".repeat(60);
        for subject in [
            "Crème brûlée – the easy way",
            "Plain words first, then 日本語 and plain words again at the end of it all",
            "=?utf-8?q?forged?= encoded-word",
            "👩\u{200D}🍳 in the kitchen",
            long.trim(),
            "a very long plain subject that goes on and on until it has to be folded over two lines at least",
        ] {
            let field = unstructured("Subject", subject);
            assert_eq!(parsed_subject(&field), subject, "{field}");
            for line in field.split("\r\n") {
                assert!(line.len() <= 78, "{line}");
                for word in line.split(' ').filter(|word| word.starts_with("=?")) {
                    assert!(word.len() <= 75, "{word}");
                }
            }
        }
    }

    #[test]
    fn a_name_is_atoms_quoted_or_encoded_but_never_encoded_inside_quotes() {
        let to = |name| mailbox(name, "a@example.org", 4);
        assert_eq!(to("Thandi Mokoena"), "Thandi Mokoena <a@example.org>");
        assert_eq!(to("O'Neill"), "O'Neill <a@example.org>");
        assert_eq!(to("Doe, Jane"), "\"Doe, Jane\" <a@example.org>");
        assert_eq!(
            to("The \"Boss\" \\ co."),
            "\"The \\\"Boss\\\" \\\\ co.\" <a@example.org>"
        );
        assert_eq!(to("Zoë"), "=?utf-8?b?Wm/Dqw==?= <a@example.org>");
        assert_eq!(to(""), "a@example.org");
        assert_eq!(list_id("", "weekly.example.org"), "<weekly.example.org>");
    }
}
