//! What a client says to a relay, put together from its writes: which message
//! has been completed by its dot.

use crate::harness::receipt::{Fate, Receipt};

/// A message whose last dot has been written.
#[derive(Clone, Debug)]
pub(crate) struct Dot {
    /// The message as the relay has it.
    pub(crate) receipt: Receipt,
    /// The relay's answer has been read.
    pub(crate) answered: bool,
}

/// One connection's bytes so far. The relay is a friendly one: it takes every
/// recipient, and what follows DATA is a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversation {
    in_message: bool,
    recipient: String,
    /// The line or message that is not complete.
    rest: Vec<u8>,
    /// The last message that was completed.
    pub(super) last: Option<Dot>,
}

impl Conversation {
    /// Takes more bytes; every message they complete.
    pub(super) fn say(&mut self, bytes: &[u8]) -> Vec<Dot> {
        let mut dots = Vec::new();
        self.rest.extend_from_slice(bytes);
        loop {
            if self.in_message {
                let Some((end, next)) = end_of_message(&self.rest) else {
                    return dots;
                };
                let message = unstuffed(&self.rest[..end]);
                self.rest.drain(..next);
                self.in_message = false;
                let dot = Dot {
                    receipt: Receipt::of(Fate::Accepted, &self.recipient, &message),
                    answered: false,
                };
                self.last = Some(dot.clone());
                dots.push(dot);
            } else {
                let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else {
                    return dots;
                };
                let line = String::from_utf8_lossy(&self.rest[..end]).into_owned();
                self.rest.drain(..=end);
                self.command(line.trim_end());
            }
        }
    }

    fn command(&mut self, line: &str) {
        if line.eq_ignore_ascii_case("DATA") {
            self.in_message = true;
        } else if let Some((_, address)) = line.split_once("RCPT TO:<") {
            address
                .split('>')
                .next()
                .unwrap_or_default()
                .clone_into(&mut self.recipient);
        }
    }

    /// The client has read something: after a dot that is its answer.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if let Some(dot) = &mut self.last
            && !bytes.is_empty()
        {
            dot.answered = true;
        }
    }
}

/// Where the message ends (its last line end included) and where the next
/// command begins.
fn end_of_message(bytes: &[u8]) -> Option<(usize, usize)> {
    if bytes.starts_with(b".\r\n") {
        return Some((0, 3));
    }
    let at = bytes.windows(5).position(|window| window == b"\r\n.\r\n")?;
    Some((at + 2, at + 5))
}

/// Undoes dot-stuffing (RFC 5321, 4.5.2).
fn unstuffed(message: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(message.len());
    let mut at_line_start = true;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let stuffed = at_line_start && line.starts_with(b".");
        plain.extend_from_slice(&line[usize::from(stuffed)..]);
        at_line_start = line.ends_with(b"\r\n");
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_message_is_complete_with_its_dot_and_not_a_byte_earlier() {
        use super::Conversation;

        let mut talk = Conversation::default();
        let all = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n\
            Message-ID: <m@example.org>\r\n\r\n..dot\r\n.x\r\n.\r\n";
        for byte in &all[..all.len() - 1] {
            assert!(talk.say(&[*byte]).is_empty());
        }
        let dots = talk.say(b"\nMAIL FROM:<a@example.org>\r\n");
        assert_eq!(dots.len(), 1);
        assert_eq!(dots[0].receipt.recipient, "b@example.org");
        assert_eq!(dots[0].receipt.message_id, "m@example.org");
        let plain = b"Message-ID: <m@example.org>\r\n\r\n.dot\r\nx\r\n";
        assert_eq!(dots[0].receipt.bytes, plain.len());
        assert!(!talk.last.clone().unwrap().answered);
        talk.hear(b"250 ok\r\n");
        assert!(talk.last.unwrap().answered);
    }
}
