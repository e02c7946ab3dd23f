//! What can go wrong in a session, told apart by what it means for a delivery.

use std::io;

use crate::domain::delivery::{Phase, Reply};

/// What lettre calls an incomplete response: the end of the stream.
const CLOSED: &str = "the relay closed the connection";

/// Why a step of an SMTP session did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The relay answered, and the answer was no. Certainly not accepted.
    #[error("refused at {phase}: {reply}")]
    Refused {
        /// In which step.
        phase: Phase,
        /// Its words.
        reply: Reply,
    },
    /// The session ended or timed out before the terminating dot was handed
    /// over. Certainly not accepted.
    #[error("session lost at {phase}: {reason}")]
    Lost {
        /// In which step.
        phase: Phase,
        /// What happened.
        reason: String,
    },
    /// The dot was handed over and no answer could be read: nobody knows.
    #[error("no answer after the end of the message: {reason}")]
    Unanswered {
        /// What happened instead.
        reason: String,
    },
    /// The relay's certificate is not its own, or it offers no TLS where TLS
    /// is required. Never continued in plain text.
    #[error("the relay cannot prove who it is: {0}")]
    Identity(String),
    /// The relay offers no way to log in that we may use.
    #[error("the relay offers no login: {0}")]
    NoLogin(String),
    /// The address passes our own rules and not the SMTP library's: this
    /// message cannot be built.
    #[error("the address cannot be written to: {0}")]
    Address(String),
    /// The message is larger than the relay said it takes: not a byte was sent.
    #[error("the message has {size} bytes, and the relay takes {most}")]
    TooBig {
        /// Of the message.
        size: usize,
        /// What the relay takes.
        most: usize,
    },
    /// The relay said something SMTP does not allow at this point, before the dot.
    #[error("the relay broke the protocol at {phase}: {reason}")]
    Protocol {
        /// In which step.
        phase: Phase,
        /// What it said.
        reason: String,
    },
}

impl Trouble {
    /// In which step it arose, where that is known.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        match self {
            Self::Refused { phase, .. }
            | Self::Lost { phase, .. }
            | Self::Protocol { phase, .. } => Some(*phase),
            Self::Unanswered { .. } => Some(Phase::Dot),
            Self::Identity(_) | Self::NoLogin(_) | Self::Address(_) | Self::TooBig { .. } => None,
        }
    }

    pub(super) fn timeout(phase: Phase, limit: std::time::Duration) -> Self {
        Self::Lost {
            phase,
            reason: format!("no answer within {}", humantime::format_duration(limit)),
        }
    }

    /// The wire failed before the dot.
    pub(super) fn broken(phase: Phase, error: &io::Error) -> Self {
        Self::Lost {
            phase,
            reason: cause(error),
        }
    }

    /// Classifies an error of the connection that arose before the dot.
    pub(super) fn before_dot(phase: Phase, error: &lettre::transport::smtp::Error) -> Self {
        if let Some(reply) = reply_of(error) {
            return Self::Refused { phase, reply };
        }
        let reason = cause(error);
        let is_nonsense = error.is_response() && reason != CLOSED;
        if is_nonsense || is_invalid_data(error) {
            return Self::Protocol { phase, reason };
        }
        Self::Lost { phase, reason }
    }
}

/// Whether our stream refused to pass on what the relay said.
fn is_invalid_data(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut sources = std::iter::successors(Some(error), |error| error.source());
    sources.any(|error| {
        error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
    })
}

/// The relay's reply inside an error, when it has one.
pub(super) fn reply_of(error: &lettre::transport::smtp::Error) -> Option<Reply> {
    let code = u16::from(error.status()?);
    Some(Reply::new(code, &cause(error)))
}

/// The innermost message: lettre repeats its source in its own text.
pub(super) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if innermost.downcast_ref().is_some_and(is_closed) {
        return CLOSED.to_owned();
    }
    let text = crate::domain::text::one_line(&innermost.to_string());
    match text.as_str() {
        "incomplete response" => CLOSED.to_owned(),
        _ => text,
    }
}

/// A relay that closes while something of ours is on its way resets the
/// connection: the same thing by another name.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}
