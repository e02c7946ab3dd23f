//! How the sink behaves towards everyone: what it announces, whom it lets in,
//! and rules that bend single phases of the dialogue.

use std::time::Duration;

use super::tls::Identity;

/// The sink's settings; the default is a friendly server without TLS or login.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// Capability lines after the host name in the EHLO reply. AUTH and
    /// STARTTLS are announced by the settings below.
    pub(crate) capabilities: Vec<String>,
    /// The login a client must give before MAIL.
    pub(crate) login: Option<Login>,
    /// Whether and when the dialogue is encrypted; fixed at the start.
    pub(crate) encryption: Encryption,
    /// The certificate shown; fixed at the start.
    pub(crate) identity: Identity,
    /// Closes a connection without a word after it took that many messages.
    pub(crate) messages_per_connection: Option<usize>,
    /// Answers DATA with 354 even if every recipient was refused.
    pub(crate) data_for_nobody: bool,
    /// Keeps no message and no command, only the journal; fixed at the start.
    pub(crate) journal_only: bool,
    /// First matching rule with uses left wins.
    pub(crate) rules: Vec<(Phase, Rule)>,
}

/// The credentials that are accepted and the answer to any others.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// Login name.
    pub(crate) name: String,
    /// Password.
    pub(crate) password: String,
    /// Reply to wrong credentials.
    pub(crate) refusal: String,
}

/// Whether and when the dialogue is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Never.
    None,
    /// After STARTTLS; the client may do without.
    StartTls,
    /// From the first byte (`smtps`).
    Implicit,
}

/// A place in the dialogue where the sink answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The greeting.
    Connect,
    /// EHLO and HELO.
    Ehlo,
    /// STARTTLS; a reply that begins with 220 is followed by the handshake.
    StartTls,
    /// AUTH, before its credentials are looked at.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO, before the recipient's own script.
    Rcpt,
    /// DATA; only a reply that begins with 354 goes on to the message.
    Data,
    /// The end of the message, before the recipient's own script.
    Dot,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

/// What happens at a phase, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// What the sink does instead of its usual answer.
    pub(crate) answer: Answer,
    /// Visits of the phase that pass untouched first.
    pub(crate) skip: u32,
    /// Visits it applies to after that; `None` is all.
    pub(crate) times: Option<u32>,
}

/// What the sink does instead of its usual answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends this reply (several lines joined by CR LF) and goes on. At the
    /// dot its code decides the message's fate. A 421 also closes.
    Reply(Vec<u8>),
    /// Sends these bytes as they are, with no line end of its own.
    Raw(Vec<u8>),
    /// As `Reply`, one byte at a time with this pause between bytes.
    Trickle(Vec<u8>, Duration),
    /// Sends this many bytes without any line end, then closes.
    Endless(usize),
    /// Gives the usual answer after this time.
    Late(Duration),
    /// Gives the usual answer when the test releases it. A message held at the
    /// dot counts as accepted from the moment it was read.
    Hold,
    /// At the dot: takes the message, then closes before the answer leaves.
    /// Elsewhere as `Close`.
    Lose,
    /// Says nothing more, but keeps the connection until the client leaves.
    Silence,
    /// Closes the connection without a word.
    Close,
}

impl Default for Behaviour {
    fn default() -> Self {
        let capabilities = [
            "PIPELINING",
            "SIZE 10485760",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
        ];
        Self {
            capabilities: capabilities.map(str::to_owned).to_vec(),
            login: None,
            encryption: Encryption::None,
            identity: Identity::Good,
            messages_per_connection: None,
            data_for_nobody: false,
            journal_only: false,
            rules: Vec::new(),
        }
    }
}

impl Behaviour {
    /// A friendly server for more messages than one wants to keep.
    pub(crate) fn for_volume() -> Self {
        Self {
            journal_only: true,
            ..Self::default()
        }
    }

    /// A server that wants every command answered before the next.
    pub(crate) fn without_pipelining() -> Self {
        let mut behaviour = Self::default();
        behaviour.capabilities.retain(|one| one != "PIPELINING");
        behaviour
    }

    /// A server that takes mail only after this login.
    pub(crate) fn with_login(name: &str, password: &str) -> Self {
        Self {
            login: Some(Login {
                name: name.to_owned(),
                password: password.to_owned(),
                refusal: "535 5.7.8 authentication credentials invalid".to_owned(),
            }),
            ..Self::default()
        }
    }

    /// What to do at this visit of a phase, if a rule says so; counts the visit.
    pub(super) fn answer_at(&mut self, phase: Phase) -> Option<Answer> {
        let live = |rule: &Rule| rule.times != Some(0);
        let (_, rule) = self
            .rules
            .iter_mut()
            .find(|(at, rule)| *at == phase && live(rule))?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.answer.clone())
    }
}

impl Encryption {
    /// Whether a certificate is needed.
    pub(super) fn needs_keys(self) -> bool {
        self != Self::None
    }
}

impl Rule {
    /// At every visit.
    pub(crate) fn always(answer: Answer) -> Self {
        Self {
            answer,
            skip: 0,
            times: None,
        }
    }

    /// At the next `times` visits.
    pub(crate) fn times(times: u32, answer: Answer) -> Self {
        Self {
            times: Some(times),
            ..Self::always(answer)
        }
    }

    /// Only after `skip` visits went by untouched.
    pub(crate) fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }
}

impl Answer {
    /// A one-line reply, code and text.
    pub(crate) fn reply(text: &str) -> Self {
        Self::Reply(text.as_bytes().to_vec())
    }
}
