//! Answers that blame the sender: what large providers say when SPF, DKIM and
//! DMARC do not vouch for a message, or when they have seen too much of it. No
//! reader is at fault, so no address is ever written off for one.

use crate::domain::delivery::Reply;

/// What the receiving side holds against the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// Nothing proves that the message is from whom it says.
    Unproven,
    /// Too much at once, or a bad name.
    Reputation,
}

/// X.7.n of authentication: RFC 7372 (20 to 26), Gmail (25 to 27, 29, 30, 32,
/// 40), Outlook (509, 515).
const UNPROVEN: [u16; 14] = [20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 32, 40, 509, 515];
/// X.7.28 of Gmail: an unusual rate of mail.
const RATE: u16 = 28;
/// Words of Yahoo (`[TSS04]`), Gmail and Outlook about rate and reputation.
const WORDS: [&str; 5] = [
    "[tss",
    "user complaints",
    "unusual rate",
    "reputation",
    "unsolicited mail",
];

/// What `reply` holds against the sender, if it does.
pub(super) fn fault(reply: &Reply) -> Option<Fault> {
    if !(400..600).contains(&reply.code) {
        return None;
    }
    match reply.enhanced {
        Some((_, 7, detail)) if UNPROVEN.contains(&detail) => return Some(Fault::Unproven),
        Some((_, 7, RATE)) => return Some(Fault::Reputation),
        // What is said of an address or a mailbox is not about us.
        Some((_, subject, _)) if subject != 7 && subject != 0 => return None,
        _ => {}
    }
    let text = reply.text.to_ascii_lowercase();
    let is_told = WORDS.iter().any(|words| text.contains(words));
    is_told.then_some(Fault::Reputation)
}

impl Fault {
    /// Cause and remedy, for a sender of `domain`.
    pub(super) fn remedy(self, domain: &str) -> String {
        match self {
            Self::Unproven => format!(
                "nothing proves that it is from {domain}: SPF and DKIM must pass and agree with \
                 the From domain (DMARC); `letterpress dkim record` prints what to publish"
            ),
            Self::Reputation => format!(
                "too much at once or too many complaints about {domain}: send more slowly \
                 (`mail.rate`), and only to readers who asked for it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_providers_say_of_the_sender_is_not_taken_for_a_bad_address() {
        use Fault::{Reputation, Unproven};
        for (code, text, expected) in [
            (
                550,
                "5.7.26 This mail has been blocked because the sender is unauthenticated.",
                Some(Unproven),
            ),
            (
                421,
                "4.7.26 This mail has been rate limited because it is unauthenticated.",
                Some(Unproven),
            ),
            (
                421,
                "4.7.28 Gmail has detected an unusual rate of unsolicited mail",
                Some(Reputation),
            ),
            (
                421,
                "4.7.0 This message is suspicious due to the very low reputation of the sending domain",
                Some(Reputation),
            ),
            (
                550,
                "5.7.515 Access denied, sending domain GARDEN.EXAMPLE.ORG does not meet the required authentication level.",
                Some(Unproven),
            ),
            (
                421,
                "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
                Some(Reputation),
            ),
            (
                451,
                "Message temporarily deferred - [TSS09]",
                Some(Reputation),
            ),
            (450, "4.7.1 greylisted", None),
            (554, "5.7.1 relay access denied", None),
            (550, "5.1.1 unknown user with a reputation", None),
            (250, "2.7.26 fine", None),
        ] {
            assert_eq!(fault(&Reply::new(code, text)), expected, "{code} {text}");
        }
    }
}
