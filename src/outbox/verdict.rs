//! What a reply means: for one person, for one issue, or for the whole run.
//!
//! The table of `docs/delivery.md`, "Replies", as one pure function.

use super::{Why, quota, sender};
use crate::{
    domain::delivery::{Phase, Reply, is_bad_address},
    mail::smtp::Trouble,
};

/// Whom a failed attempt concerns, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This person, later.
    Defer(Reply),
    /// This person, never again: the address does not take mail.
    RejectAddress {
        /// At RCPT or at the dot.
        phase: Phase,
        /// What was said.
        reply: Reply,
    },
    /// This person, not this issue. When everybody gets the same answer it is
    /// the relay or the content, see [`super::refusals`].
    RejectUnclear {
        /// At RCPT or at the dot.
        phase: Phase,
        /// What was said.
        reply: Reply,
    },
    /// The message cannot be built for this person.
    Fail(String),
    /// Nobody knows.
    Uncertain(String),
    /// Not this person's fault: back to the queue, uncounted.
    Requeue(Blame),
}

/// What a requeued attempt says about issue or relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blame {
    /// The session is gone; the next one may do.
    Session(String),
    /// The relay did not let us in.
    Unreachable(String),
    /// The relay broke the protocol.
    Protocol(String),
    /// The relay asks us to slow down.
    Pace(Reply),
    /// The relay has no room, or so it says over one reader.
    NoRoom(Reply),
    /// The relay will take no more for now: daily quota.
    Quota(Reply),
    /// The relay refuses this issue: size, or DATA.
    Issue(Reply),
    /// The issue is larger than the relay takes.
    TooBig {
        /// Bytes of a message.
        size: usize,
        /// What the relay takes.
        most: usize,
    },
    /// The relay refuses our sender.
    Sender(Reply),
    /// The relay refuses our login.
    Login(Reply),
    /// TLS identity, or no way to log in: nothing to be tried again by a machine.
    Identity(String),
}

/// What `trouble` would end a run with, for a message sent outside the ledger.
pub(super) fn why(trouble: &Trouble) -> Why {
    match of(trouble) {
        Verdict::Requeue(Blame::Quota(_)) => Why::Quota,
        Verdict::Requeue(Blame::Protocol(_)) => Why::Protocol,
        Verdict::Requeue(Blame::Identity(_) | Blame::Login(_)) => Why::Refused,
        Verdict::Requeue(Blame::Sender(_)) => Why::Sender,
        Verdict::Requeue(Blame::Issue(_) | Blame::TooBig { .. })
        | Verdict::RejectAddress { .. }
        | Verdict::RejectUnclear { .. }
        | Verdict::Fail(_) => Why::Content,
        Verdict::Defer(_) | Verdict::Uncertain(_) | Verdict::Requeue(_) => Why::RelayAway,
    }
}

/// Message too big for the system (RFC 3463).
const TOO_BIG: [(u8, u16, u16); 2] = [(5, 3, 4), (5, 2, 3)];

/// The relay's own disk is full, or too many recipients at once.
const NO_ROOM: [(u8, u16, u16); 2] = [(4, 3, 1), (4, 5, 3)];

/// What `trouble` means.
pub(super) fn of(trouble: &Trouble) -> Verdict {
    match trouble {
        Trouble::Refused { phase, reply } => refused(*phase, reply.clone()),
        Trouble::Unanswered { reason } => Verdict::Uncertain(reason.clone()),
        Trouble::Address(reason) => Verdict::Fail(reason.clone()),
        Trouble::Identity(reason) => {
            Verdict::Requeue(Blame::Identity(format!("TLS identity: {reason}")))
        }
        Trouble::NoLogin(reason) => {
            Verdict::Requeue(Blame::Identity(format!("it offers no login: {reason}")))
        }
        Trouble::TooBig { size, most } => Verdict::Requeue(Blame::TooBig {
            size: *size,
            most: *most,
        }),
        Trouble::Protocol { phase, reason } => {
            Verdict::Requeue(Blame::Protocol(format!("at {phase}: {reason}")))
        }
        Trouble::Lost { phase, reason } => Verdict::Requeue(match phase {
            Phase::Connect | Phase::Tls | Phase::Auth => Blame::Unreachable(reason.clone()),
            _ => Blame::Session(reason.clone()),
        }),
    }
}

fn refused(phase: Phase, reply: Reply) -> Verdict {
    match (reply.code, phase) {
        (503, Phase::Mail | Phase::Rcpt | Phase::Data) => {
            return Verdict::Requeue(Blame::Protocol(format!("at {phase}: {reply}")));
        }
        // Commands and answers are out of step: it may belong to another one.
        (503, Phase::Dot) => return Verdict::Uncertain(format!("answered {reply}")),
        _ => {}
    }
    match phase {
        Phase::Tls if !reply.is_temporary() => Verdict::Requeue(Blame::Identity(format!(
            "TLS identity: STARTTLS refused: {reply}"
        ))),
        Phase::Connect | Phase::Tls => Verdict::Requeue(Blame::Unreachable(reply.to_string())),
        Phase::Auth if reply.is_temporary() => {
            Verdict::Requeue(Blame::Unreachable(reply.to_string()))
        }
        Phase::Auth => Verdict::Requeue(Blame::Login(reply)),
        Phase::Mail => Verdict::Requeue(mail(reply)),
        Phase::Rcpt => rcpt(reply),
        Phase::Data if reply.is_temporary() => Verdict::Requeue(Blame::Pace(reply)),
        Phase::Data => Verdict::Requeue(Blame::Issue(reply)),
        Phase::Dot => dot(reply),
    }
}

fn mail(reply: Reply) -> Blame {
    match reply.code {
        530 => Blame::Identity(format!("it wants a login: {reply}")),
        552 => Blame::Issue(reply),
        _ if quota::is_spent(&reply) => Blame::Quota(reply),
        400..=499 => Blame::Pace(reply),
        _ => Blame::Sender(reply),
    }
}

fn rcpt(reply: Reply) -> Verdict {
    match reply.code {
        421 => Verdict::Requeue(Blame::Pace(reply)),
        452 if reply.has(&NO_ROOM) => Verdict::Requeue(Blame::NoRoom(reply)),
        530 => Verdict::Requeue(Blame::Identity(format!("it wants a login: {reply}"))),
        _ if quota::is_spent(&reply) => Verdict::Requeue(Blame::Quota(reply)),
        // A full mailbox is temporary whatever the first digit says (RFC 5321 4.5.3.1.10).
        552 if !reply.has(&TOO_BIG) => Verdict::Defer(reply),
        400..=499 => Verdict::Defer(reply),
        _ if reply.has(&[(5, 2, 2)]) => Verdict::Defer(reply),
        _ if is_bad_address(reply.enhanced) => Verdict::RejectAddress {
            phase: Phase::Rcpt,
            reply,
        },
        _ => Verdict::RejectUnclear {
            phase: Phase::Rcpt,
            reply,
        },
    }
}

fn dot(reply: Reply) -> Verdict {
    match reply.code {
        _ if quota::is_spent(&reply) => Verdict::Requeue(Blame::Quota(reply)),
        454 => Verdict::Requeue(Blame::Pace(reply)),
        452 if reply.has(&NO_ROOM) => Verdict::Requeue(Blame::NoRoom(reply)),
        // 421 ends the session and slows us down by itself.
        400..=499 if reply.code != 421 && is_throttling(&reply) => {
            Verdict::Requeue(Blame::Pace(reply))
        }
        400..=499 => Verdict::Defer(reply),
        552 if !reply.has(&[(5, 2, 2)]) => Verdict::Requeue(Blame::Issue(reply)),
        _ if reply.has(&TOO_BIG) => Verdict::Requeue(Blame::Issue(reply)),
        _ if reply.has(&[(5, 2, 2)]) => Verdict::Defer(reply),
        _ if is_bad_address(reply.enhanced) => Verdict::RejectAddress {
            phase: Phase::Dot,
            reply,
        },
        _ => Verdict::RejectUnclear {
            phase: Phase::Dot,
            reply,
        },
    }
}

/// 4.7.x is greylisting as well as throttling: the words tell.
fn is_throttling(reply: &Reply) -> bool {
    if sender::fault(reply) == Some(sender::Fault::Reputation) {
        return true;
    }
    let text = reply.text.to_ascii_lowercase();
    reply.enhanced.is_some_and(|(_, subject, _)| subject == 7)
        && ["rate", "throttl", "too many", "too fast", "slow down"]
            .iter()
            .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(phase: Phase, code: u16, text: &str) -> Verdict {
        of(&Trouble::Refused {
            phase,
            reply: Reply::new(code, text),
        })
    }

    /// One row of the table: phase, code, text, and a word of the verdict.
    #[test]
    fn every_reply_concerns_whom_the_table_says() {
        use Phase::{Auth, Connect, Data, Dot, Mail, Rcpt, Tls};
        for (phase, code, text, expected) in [
            (Connect, 421, "4.3.2 busy", "Unreachable"),
            (Connect, 554, "go away", "Unreachable"),
            (Tls, 454, "4.7.0 no TLS now", "Unreachable"),
            (Tls, 502, "5.5.1 not implemented", "Identity"),
            (Auth, 454, "4.7.0 later", "Unreachable"),
            (Auth, 530, "5.7.0 log in", "Login"),
            (Auth, 535, "5.7.8 wrong", "Login"),
            (Auth, 534, "5.7.9 too weak", "Login"),
            (Auth, 538, "5.7.11 not in clear", "Login"),
            (Mail, 553, "5.1.8 sender", "Sender"),
            (Mail, 550, "5.7.1 sender", "Sender"),
            (Mail, 552, "5.3.4 too big", "Issue"),
            (Mail, 452, "4.3.1 no room", "Pace"),
            (Mail, 421, "4.7.0 slow", "Pace"),
            (Mail, 530, "5.7.0 log in", "Identity"),
            (Mail, 503, "5.5.1 what", "Protocol"),
            (Rcpt, 450, "4.2.0 grey", "Defer"),
            (Rcpt, 451, "4.7.1 greylisted", "Defer"),
            (Rcpt, 452, "4.2.2 full", "Defer"),
            (Rcpt, 452, "4.3.1 no room", "NoRoom"),
            (Rcpt, 452, "4.5.3 too many recipients", "NoRoom"),
            (Rcpt, 421, "4.3.2 closing", "Pace"),
            (Rcpt, 552, "5.2.2 full", "Defer"),
            (Rcpt, 550, "5.1.1 unknown", "RejectAddress"),
            (Rcpt, 551, "5.1.6 moved", "RejectAddress"),
            (Rcpt, 553, "5.1.3 syntax", "RejectAddress"),
            (Rcpt, 550, "5.2.1 disabled", "RejectAddress"),
            (Rcpt, 550, "unknown", "RejectUnclear"),
            (Rcpt, 554, "5.7.1 denied", "RejectUnclear"),
            (Data, 451, "4.3.0 later", "Pace"),
            (Data, 554, "5.5.0 no", "Issue"),
            (Dot, 421, "4.3.0 closing", "Defer"),
            (Dot, 451, "4.3.0 later", "Defer"),
            (Dot, 452, "4.3.1 no room", "NoRoom"),
            (Dot, 451, "4.7.1 greylisted", "Defer"),
            (Dot, 450, "4.7.28 unusual rate of mail", "Pace"),
            (
                Dot,
                451,
                "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred",
                "Pace",
            ),
            (
                Dot,
                550,
                "5.7.26 the sender is unauthenticated",
                "RejectUnclear",
            ),
            (
                Rcpt,
                550,
                "5.7.515 Access denied, sending domain example.org",
                "RejectUnclear",
            ),
            (Mail, 550, "5.7.26 the sender is unauthenticated", "Sender"),
            (Dot, 503, "5.5.1 what", "Uncertain"),
            (Dot, 454, "Throttling failure", "Pace"),
            (
                Dot,
                454,
                "Throttling failure: Daily message quota exceeded",
                "Quota",
            ),
            (Rcpt, 550, "5.4.5 Daily sending limit exceeded", "Quota"),
            (Dot, 550, "5.4.5 Daily sending limit exceeded", "Quota"),
            (Mail, 550, "5.4.5 Daily sending limit exceeded", "Quota"),
            (Dot, 552, "5.3.4 too big", "Issue"),
            (Dot, 554, "5.7.1 spam", "RejectUnclear"),
            (Dot, 550, "5.6.0 content", "RejectUnclear"),
        ] {
            let found = format!("{:?}", verdict(phase, code, text));
            assert!(found.contains(expected), "{phase} {code} {text}: {found}");
        }
    }

    #[test]
    fn what_happens_after_the_dot_without_an_answer_is_uncertain() {
        let found = of(&Trouble::Unanswered {
            reason: "gone".to_owned(),
        });
        assert_eq!(found, Verdict::Uncertain("gone".to_owned()));
    }

    #[test]
    fn what_is_lost_before_the_dot_is_nobodys_fault() {
        for phase in [Phase::Mail, Phase::Rcpt, Phase::Data] {
            let found = of(&Trouble::Lost {
                phase,
                reason: "reset".to_owned(),
            });
            assert_eq!(found, Verdict::Requeue(Blame::Session("reset".to_owned())));
        }
    }
}
