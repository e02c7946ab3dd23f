//! Body text as quoted-printable, and the last look at a whole message.

use quoted_printable::{Options, encode_with_options};

/// Quoted-printable of a piece of body text, CRLF line ends, no line over 75
/// characters: one stays free for the soft break that joins it to a slot.
pub(in crate::mail) fn encode(text: &str) -> String {
    encode_with_options(text, Options::default().line_length_limit(75))
}

/// Line ends as mail wants them.
pub(super) fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\n', '\r'], "\r\n")
}

/// A message that no server may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// RFC 5322 4.
    #[error("the message holds a NUL")]
    Nul,
    /// RFC 5322 2.2: CR and LF only together. A lone one ends the message
    /// early for some servers, and what follows is a forged one.
    #[error("the message holds a carriage return or line feed on its own")]
    BareLineEnd,
    /// RFC 5322 2.1.1.
    #[error("the message has a line of more than 998 characters")]
    LongLine,
    /// RFC 5321 4.1.1.4.
    #[error("the message does not end with a line end")]
    NoEnd,
}

/// Looks at a whole message, byte by byte.
pub(in crate::mail) fn check_wire(message: &[u8]) -> Result<(), WireError> {
    if message.contains(&0) {
        return Err(WireError::Nul);
    }
    let Some(lines) = message.strip_suffix(b"\r\n") else {
        return Err(WireError::NoEnd);
    };
    let mut length = 0;
    let mut bytes = lines.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                if bytes.next() != Some(&b'\n') {
                    return Err(WireError::BareLineEnd);
                }
                length = 0;
            }
            b'\n' => return Err(WireError::BareLineEnd),
            _ => length += 1,
        }
        if length > 998 {
            return Err(WireError::LongLine);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_could_be_misread_is_refused() {
        assert_eq!(check_wire(b"a\r\nb\r\n"), Ok(()));
        assert_eq!(check_wire(b"a\0\r\n"), Err(WireError::Nul));
        assert_eq!(check_wire(b"a\nb\r\n"), Err(WireError::BareLineEnd));
        assert_eq!(check_wire(b"a\rb\r\n"), Err(WireError::BareLineEnd));
        assert_eq!(check_wire(b"a\r\nb"), Err(WireError::NoEnd));
        let long = format!("{}\r\n", "x".repeat(999));
        assert_eq!(check_wire(long.as_bytes()), Err(WireError::LongLine));
    }

    #[test]
    fn encoded_lines_are_short_and_end_without_space() {
        let text = with_crlf(&"häuser und gärten \n".repeat(40));
        let encoded = encode(&text);
        for line in encoded.split("\r\n") {
            assert!(line.len() <= 75, "{line}");
            assert!(!line.ends_with(' '), "{line:?}");
        }
        let back = quoted_printable::decode(&encoded, quoted_printable::ParseMode::Strict);
        assert_eq!(back.unwrap(), text.as_bytes());
    }
}
