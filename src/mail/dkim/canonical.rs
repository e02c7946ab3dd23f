//! Relaxed canonicalisation (RFC 6376 3.4.2 and 3.4.4), for messages that
//! come in pieces: no piece need end where a line or a word ends.

use std::ops::Range;

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// What was read and not yet passed on, because what follows decides whether
/// it counts: blanks and line ends count only before something visible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Gap {
    line_ends: usize,
    blank: bool,
    carriage_return: bool,
}

/// A body on its way into relaxed form.
#[derive(Debug, Clone, Default)]
struct Relaxed {
    gap: Gap,
    has_begun: bool,
}

impl Relaxed {
    /// Passes on, in runs, what is certain after these bytes.
    fn feed(&mut self, bytes: &[u8], pass: &mut impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if is_solid(byte) {
                let run = rest.iter().take_while(|byte| is_solid(**byte)).count();
                self.close_gap(pass);
                pass(&rest[..run]);
                rest = &rest[run..];
                continue;
            }
            self.widen_gap(byte, pass);
            rest = &rest[1..];
        }
    }

    /// Takes a blank, a carriage return or a line feed. One of the latter two
    /// on its own is no line end but a character like any other.
    fn widen_gap(&mut self, byte: u8, pass: &mut impl FnMut(&[u8])) {
        if byte == b'\n' && self.gap.carriage_return {
            self.gap.line_ends += 1;
            self.gap.blank = false;
            self.gap.carriage_return = false;
            return;
        }
        if self.gap.carriage_return || byte == b'\n' {
            self.close_gap(pass);
            if byte == b'\n' {
                pass(b"\n");
            }
        }
        match byte {
            b'\r' => self.gap.carriage_return = true,
            b' ' | b'\t' => self.gap.blank = true,
            _ => {}
        }
    }

    fn close_gap(&mut self, pass: &mut impl FnMut(&[u8])) {
        let gap = std::mem::take(&mut self.gap);
        for _ in 0..gap.line_ends {
            pass(b"\r\n");
        }
        if gap.blank {
            pass(b" ");
        }
        if gap.carriage_return {
            pass(b"\r");
        }
        self.has_begun = true;
    }

    /// The end: empty lines are gone, and what is there ends with one line end.
    fn finish(mut self, pass: &mut impl FnMut(&[u8])) {
        if self.gap.carriage_return {
            self.close_gap(pass);
        }
        if self.has_begun {
            pass(b"\r\n");
        }
    }
}

fn is_solid(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A piece of many messages, canonicalised once: all of it that does not
/// depend on what stands before it.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// As written, up to the first visible byte.
    lead: Vec<u8>,
    /// The rest in relaxed form.
    rest: Vec<u8>,
    /// What its end leaves open; `None` if it is all lead and has no rest.
    gap: Option<Gap>,
}

impl Prepared {
    pub(super) fn new(piece: &[u8]) -> Self {
        let Some(first) = piece.iter().position(|byte| is_solid(*byte)) else {
            return Self {
                lead: piece.to_owned(),
                rest: Vec::new(),
                gap: None,
            };
        };
        let (lead, after) = piece.split_at(first + 1);
        let mut relaxed = Relaxed::default();
        let mut rest = Vec::with_capacity(after.len());
        relaxed.feed(after, &mut |run| rest.extend_from_slice(run));
        Self {
            lead: lead.to_owned(),
            rest,
            gap: Some(relaxed.gap),
        }
    }
}

/// The hash of a body, so far. A clone goes on from the same place.
#[derive(Clone)]
pub(super) struct BodyHash {
    relaxed: Relaxed,
    context: Context,
}

impl BodyHash {
    pub(super) fn new() -> Self {
        Self {
            relaxed: Relaxed::default(),
            context: Context::new(&SHA256),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let context = &mut self.context;
        self.relaxed.feed(bytes, &mut |run| context.update(run));
    }

    pub(super) fn feed_prepared(&mut self, piece: &Prepared) {
        self.feed(&piece.lead);
        if let Some(gap) = piece.gap {
            self.context.update(&piece.rest);
            self.relaxed.gap = gap;
        }
    }

    pub(super) fn finish(mut self) -> Digest {
        let context = &mut self.context;
        self.relaxed.finish(&mut |run| context.update(run));
        self.context.finish()
    }
}

/// A header field in relaxed form, without a line end.
pub(super) fn relaxed_field(field: &[u8], into: &mut Vec<u8>) {
    let (name, value) = match field.iter().position(|byte| *byte == b':') {
        Some(colon) => (&field[..colon], &field[colon + 1..]),
        None => (field, &[][..]),
    };
    into.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    into.push(b':');
    let start = into.len();
    let mut has_blank = false;
    for byte in value {
        match byte {
            b' ' | b'\t' => has_blank = true,
            // Unfolded: what follows a line end is a blank.
            b'\r' | b'\n' => {}
            byte => {
                if has_blank && into.len() > start {
                    into.push(b' ');
                }
                has_blank = false;
                into.push(*byte);
            }
        }
    }
}

/// Where the fields of a header block are, each without its last line end.
pub(super) fn fields(block: &[u8]) -> Vec<Range<usize>> {
    let mut fields = Vec::with_capacity(24);
    let mut start = 0;
    let mut at = 0;
    while let Some(found) = block[at..].windows(2).position(|two| two == b"\r\n") {
        let end = at + found;
        at = end + 2;
        let is_folded = matches!(block.get(at), Some(b' ' | b'\t'));
        if !is_folded {
            fields.push(start..end);
            start = at;
        }
    }
    if start < block.len() {
        fields.push(start..block.len());
    }
    fields
}

/// A field's name as written.
pub(super) fn name_of(field: &[u8]) -> &[u8] {
    let colon = field.iter().position(|byte| *byte == b':');
    field[..colon.unwrap_or(field.len())].trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6376 3.4.4, word by word.
    fn naive(body: &str) -> String {
        let mut lines: Vec<String> = body
            .split("\r\n")
            .map(|line| {
                let mut reduced = String::new();
                for character in line.chars() {
                    match character {
                        ' ' | '\t' if reduced.ends_with(' ') => {}
                        ' ' | '\t' => reduced.push(' '),
                        other => reduced.push(other),
                    }
                }
                reduced.strip_suffix(' ').unwrap_or(&reduced).to_owned()
            })
            .collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    fn hash_of(text: &str) -> Digest {
        aws_lc_rs::digest::digest(&SHA256, text.as_bytes())
    }

    /// Numbers that look random and are the same in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % (limit as u64)).unwrap()
        }
    }

    #[test]
    fn a_body_in_pieces_hashes_as_the_whole_does_wherever_it_is_cut() {
        let mut dice = Dice(0x5EED_0004);
        for round in 0..20_000 {
            let words = [
                "a", "=", ".", "b c", " ", "\t", "\r\n", "\r\n", "\r", "\n", "ü",
            ];
            let body: String = (0..dice.below(14))
                .map(|_| words[dice.below(words.len())])
                .collect();
            let mut plain = BodyHash::new();
            let mut prepared = BodyHash::new();
            let mut rest = body.as_bytes();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(1 + dice.below(rest.len()));
                plain.feed(piece);
                prepared.feed_prepared(&Prepared::new(piece));
                rest = after;
            }
            let expected = hash_of(&naive(&body));
            let told = format!("round {round}: {body:?} is {:?}", naive(&body));
            assert_eq!(plain.finish().as_ref(), expected.as_ref(), "{told}");
            assert_eq!(prepared.finish().as_ref(), expected.as_ref(), "{told}");
        }
    }

    #[test]
    fn an_empty_body_and_one_of_empty_lines_are_the_same_nothing() {
        for body in ["", "\r\n", " \t\r\n\r\n"] {
            let mut hash = BodyHash::new();
            hash.feed(body.as_bytes());
            // RFC 6376 3.4.4: the hash of no bytes at all.
            assert_eq!(
                data_encoding::BASE64.encode(hash.finish().as_ref()),
                "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
            );
        }
    }

    #[test]
    fn header_fields_read_as_in_the_example_of_the_rfc() {
        // RFC 6376 3.4.5.
        let block = b"A: X\r\nB : Y\t\r\n\tZ  \r\n";
        let found: Vec<String> = fields(block)
            .into_iter()
            .map(|field| {
                let mut relaxed = Vec::new();
                relaxed_field(&block[field], &mut relaxed);
                String::from_utf8(relaxed).unwrap()
            })
            .collect();
        assert_eq!(found, ["a:X", "b:Y Z"]);
        assert_eq!(name_of(b"B : Y"), b"B");
    }
}
