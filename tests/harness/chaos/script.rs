//! What an address tells the sink to do: a small language in the local part.
//!
//! ```text
//! local    = word *( "+" word ) [ "." anything ]
//! word     = "x" code [ "-" enhanced ] [ "-" times ]   the answer to RCPT
//!          | "d" code [ "-" enhanced ] [ "-" times ]   the answer to the dot
//!          | fault [ "-" times ]                       happens at the dot
//! code     = 3DIGIT            enhanced = 3*4DIGIT     times = 1*2DIGIT
//! ```
//!
//! `times` is how often it happens before the address is served; without it,
//! always. `enhanced` is the enhanced status code without its dots: class,
//! subject, and one or two digits of detail. The tail after the dot only makes
//! addresses differ. An address that does not follow the grammar is served.
//!
//! | address | what happens |
//! |---|---|
//! | `x450-2` | RCPT is answered 450 twice, then 250 |
//! | `x550`, `x550-511`, `x550-5110` | 550 without, with 5.1.1, with 5.1.10 |
//! | `x552-522`, `x554-571` | mailbox full, refused by policy |
//! | `x421-1` | 421 and the connection closes, once |
//! | `d451-1`, `d550`, `d554-571`, `d354` | that answer to the dot; message discarded |
//! | `q` (or `mute`) | message read to its dot, connection closed without an answer |
//! | `lost` | message accepted and kept, connection closed before the 250 leaves |
//! | `Q` (or `cut`) | connection closed after the first line of the message |
//! | `gone` | connection closed at RCPT, without a word |
//! | `slow` | 250 after half a second |
//! | `hold` | 250 after the test releases it |
//! | `latin` | 250 with a Latin-1 letter in its text |
//! | `lines` | 250 in three lines |
//! | `garble` | an answer that is no SMTP reply; message discarded |
//! | `x450-1+d451-1.anna` | first refused at RCPT, then at the dot, then served |

/// One word of an address's script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// What happens.
    pub(super) fault: Fault,
    /// How often; `None` is always.
    pub(super) times: Option<u32>,
}

/// What can happen to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This reply to RCPT.
    AtRecipient(String),
    /// This reply to the dot.
    AtDot(String),
    /// Read, then closed without an answer.
    Mute,
    /// Accepted, then closed before the answer.
    Lost,
    /// Closed in the middle of the message.
    Cut,
    /// Closed at RCPT.
    Gone,
    /// Half a second passes before the 250.
    Slow,
    /// The 250 waits for the test.
    Hold,
    /// 250 with a byte that is not UTF-8.
    Latin,
    /// 250 in several lines.
    Lines,
    /// Bytes that are no reply.
    Garble,
}

impl Fault {
    /// Whether it happens at RCPT, and not at the dot.
    pub(super) fn is_at_recipient(&self) -> bool {
        matches!(self, Self::AtRecipient(_) | Self::Gone)
    }
}

/// The script of an address; empty when it is to be served.
pub(super) fn parse(address: &str) -> Vec<Word> {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let script = local.split('.').next().unwrap_or_default();
    script
        .split('+')
        .map(word)
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

fn word(text: &str) -> Option<Word> {
    let mut parts = text.split('-');
    let name = parts.next()?;
    let numbers: Vec<&str> = parts.collect();
    let all_digits = numbers
        .iter()
        .all(|one| !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit()));
    if !all_digits {
        return None;
    }
    let (enhanced, times) = match numbers.as_slice() {
        [] => (None, None),
        [one] if one.len() <= 2 => (None, Some(*one)),
        [one] if one.len() <= 4 => (Some(*one), None),
        [one, two] if matches!(one.len(), 3 | 4) && two.len() <= 2 => (Some(*one), Some(*two)),
        _ => return None,
    };
    let times = match times {
        Some(digits) => Some(digits.parse().ok()?),
        None => None,
    };
    let fault = match named(name) {
        Some(_) if enhanced.is_some() => return None,
        Some(fault) => fault,
        None => coded(name, enhanced)?,
    };
    Some(Word { fault, times })
}

fn named(name: &str) -> Option<Fault> {
    Some(match name {
        "q" | "mute" => Fault::Mute,
        "Q" | "cut" => Fault::Cut,
        "lost" => Fault::Lost,
        "gone" => Fault::Gone,
        "slow" => Fault::Slow,
        "hold" => Fault::Hold,
        "latin" => Fault::Latin,
        "lines" => Fault::Lines,
        "garble" => Fault::Garble,
        _ => return None,
    })
}

fn coded(name: &str, enhanced: Option<&str>) -> Option<Fault> {
    let code = name.get(1..)?;
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let reply = match enhanced {
        None => format!("{code} scripted"),
        Some(digits) => {
            let (class, rest) = digits.split_at(1);
            let (subject, detail) = rest.split_at(1);
            format!("{code} {class}.{subject}.{detail} scripted")
        }
    };
    match name.get(..1)? {
        "x" => Some(Fault::AtRecipient(reply)),
        "d" => Some(Fault::AtDot(reply)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(reply: &str, times: Option<u32>) -> Word {
        let fault = Fault::AtRecipient(reply.to_owned());
        Word { fault, times }
    }

    fn dot(reply: &str, times: Option<u32>) -> Word {
        let fault = Fault::AtDot(reply.to_owned());
        Word { fault, times }
    }

    #[test]
    fn codes_enhanced_codes_and_counts_are_told_apart() {
        assert_eq!(
            parse("x450-2@example.org"),
            [recipient("450 scripted", Some(2))]
        );
        assert_eq!(parse("x550@example.org"), [recipient("550 scripted", None)]);
        assert_eq!(
            parse("x550-511@example.org"),
            [recipient("550 5.1.1 scripted", None)]
        );
        assert_eq!(
            parse("x550-5110@example.org"),
            [recipient("550 5.1.10 scripted", None)]
        );
        assert_eq!(
            parse("x452-422-3.anna@example.org"),
            [recipient("452 4.2.2 scripted", Some(3))]
        );
    }

    #[test]
    fn words_are_joined_with_plus_and_tagged_after_a_dot() {
        assert_eq!(
            parse("x450-1+d451-1.anna.b@example.org"),
            [
                recipient("450 scripted", Some(1)),
                dot("451 scripted", Some(1))
            ]
        );
        let mute = Word {
            fault: Fault::Mute,
            times: Some(1),
        };
        assert_eq!(parse("q-1.n17@example.net"), [mute]);
    }

    #[test]
    fn ordinary_addresses_have_no_script() {
        for address in [
            "anna@example.org",
            "x@example.org",
            "x45@example.org",
            "max450@example.org",
            "reader000001@example.org",
            "quentin@example.org",
            "jean-luc@example.org",
            "d550-anna@example.org",
            "q-511@example.org",
            "ünal+news@example.org",
        ] {
            assert_eq!(parse(address), [], "{address}");
        }
    }
}
