//! What a relay offers, from its answer to EHLO. `lettre` reads it too, but not
//! all of it, and it panics on a blank line (RUSTSEC-2026-0562).

use std::io;

/// No capability's name is longer (RFC 5321 4.1.1.1 has them short).
const LONGEST_KEYWORD: usize = 32;

/// What a relay offers, as far as it was heard.
#[derive(Debug, Default)]
pub(super) struct Features {
    /// Commands in groups (PIPELINING, RFC 2920).
    pub(super) pipelining: bool,
    /// The largest message it takes, if it says (SIZE, RFC 1870).
    pub(super) largest: Option<usize>,
    /// Addresses beyond ASCII (SMTPUTF8, RFC 6531).
    pub(super) international: bool,
    line: ReplyLine,
}

impl Features {
    /// An answer begins.
    pub(super) fn begin(&mut self) {
        self.line = ReplyLine::default();
    }

    /// Takes the next bytes of the answer, at most to the end of a line.
    ///
    /// # Errors
    /// When the line is blank.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.line.take(bytes) {
            Some(Feature::Blank) => {
                let error = "a line of its answer to EHLO is blank";
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            Some(Feature::Pipelining) => self.pipelining = true,
            Some(Feature::Size(most)) => self.largest = Some(most),
            Some(Feature::International) => self.international = true,
            Some(Feature::Other) | None => {}
        }
        Ok(())
    }
}

/// What a line of the answer to EHLO says.
enum Feature {
    /// Nothing but blanks behind its code.
    Blank,
    /// The relay takes commands in groups.
    Pipelining,
    /// The relay takes no larger message.
    Size(usize),
    /// The relay takes addresses beyond ASCII.
    International,
    /// Something that lettre reads.
    Other,
}

/// The limit in `SIZE 10485760`, whose blank is gone already; zero is none.
fn size(line: &str) -> Option<usize> {
    let (keyword, most) = line.split_at_checked(4)?;
    let most = most.parse().ok()?;
    (keyword.eq_ignore_ascii_case("SIZE") && most > 0).then_some(most)
}

/// The line of an answer to EHLO that is being read, as far as it has come.
#[derive(Debug, Default)]
struct ReplyLine {
    length: usize,
    has_blanks: bool,
    keyword: String,
}

impl ReplyLine {
    /// Takes the next bytes, at most to the end of the line; what it says, when
    /// it ends here.
    fn take(&mut self, bytes: &[u8]) -> Option<Feature> {
        for byte in bytes {
            // Three digits and a mark come first (RFC 5321 4.2.1).
            if self.length >= 4 && !matches!(byte, b'\r' | b'\n') {
                let letter = char::from(*byte);
                self.has_blanks |= letter.is_whitespace();
                if !letter.is_whitespace() && self.keyword.len() < LONGEST_KEYWORD {
                    self.keyword.push(letter);
                }
            }
            self.length += 1;
        }
        if !bytes.ends_with(b"\n") {
            return None;
        }
        let line = std::mem::take(self);
        Some(if line.keyword.eq_ignore_ascii_case("PIPELINING") {
            Feature::Pipelining
        } else if line.keyword.eq_ignore_ascii_case("SMTPUTF8") {
            Feature::International
        } else if let Some(most) = size(&line.keyword) {
            Feature::Size(most)
        } else if line.keyword.is_empty() && line.has_blanks {
            Feature::Blank
        } else {
            Feature::Other
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_message_is_what_the_relay_says() {
        for (line, most) in [
            ("SIZE10485760", Some(10_485_760)),
            ("size1000", Some(1000)),
            ("SIZE0", None),
            ("SIZE", None),
            ("SIZExyz", None),
            ("8BITMIME", None),
        ] {
            assert_eq!(size(line), most, "{line}");
        }
    }
}
