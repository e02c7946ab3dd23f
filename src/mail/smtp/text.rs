//! The text of a message as it travels: no line of it may look like its end.

use memchr::memmem;

/// The text of a message on its way out: dots at the beginning of a line are
/// doubled (RFC 5321 4.5.2), wherever one piece ends and the next begins.
#[derive(Debug)]
pub(super) struct Text {
    /// The last two bytes.
    end: [u8; 2],
}

impl Default for Text {
    fn default() -> Self {
        Self { end: *b"\r\n" }
    }
}

impl Text {
    /// A piece of it, as it is sent.
    pub(super) fn put(&mut self, piece: &[u8], outgoing: &mut Vec<u8>) {
        let mut done = 0;
        let mut stuff = |dot: usize| {
            outgoing.extend_from_slice(&piece[done..dot]);
            outgoing.push(b'.');
            done = dot;
        };
        for (at, byte) in piece.iter().enumerate().take(2) {
            if *byte == b'.' && self.end == *b"\r\n" {
                stuff(at);
            }
            self.end = [self.end[1], *byte];
        }
        for found in memmem::find_iter(piece, b"\r\n.") {
            stuff(found + 2);
        }
        outgoing.extend_from_slice(&piece[done..]);
        if let Some(end) = piece.last_chunk() {
            self.end = *end;
        }
    }

    /// The dot on a line of its own.
    pub(super) fn end(&self, outgoing: &mut Vec<u8>) {
        if self.end != *b"\r\n" {
            outgoing.extend_from_slice(b"\r\n");
        }
        outgoing.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent of a message in these pieces.
    fn stuffed(pieces: &[&str]) -> String {
        let mut text = Text::default();
        let mut outgoing = Vec::new();
        for piece in pieces {
            text.put(piece.as_bytes(), &mut outgoing);
        }
        text.end(&mut outgoing);
        String::from_utf8(outgoing).unwrap()
    }

    #[test]
    fn a_dot_that_begins_a_line_is_doubled_wherever_the_pieces_meet() {
        let message = ".one\r\n..two\r\nthr.ee\r\n.\r\nfour.\r\n";
        let expected = "..one\r\n...two\r\nthr.ee\r\n..\r\nfour.\r\n.\r\n";
        assert_eq!(stuffed(&[message]), expected);
        for first in 0..=message.len() {
            for second in first..=message.len() {
                let pieces = [
                    &message[..first],
                    &message[first..second],
                    &message[second..],
                ];
                assert_eq!(stuffed(&pieces), expected, "{pieces:?}");
            }
        }
        let single: Vec<&str> = message.split("").collect();
        assert_eq!(stuffed(&single), expected);
        assert_eq!(stuffed(&["no end"]), "no end\r\n.\r\n");
        assert_eq!(stuffed(&["\r\n", "\r", ".\n."]), "\r\n\r.\n.\r\n.\r\n");
    }
}
