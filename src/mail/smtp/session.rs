//! The commands of a session, one message after another.

use std::{pin::pin, sync::Arc, time::Duration};

use lettre::{
    Address,
    transport::smtp::{
        Error,
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Quit, Rcpt, Rset},
        response::Response,
    },
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Trouble,
    stream::Gate,
    trouble::{cause, reply_of},
};
use crate::{
    config::settings::Timeouts,
    domain::{
        address::EmailAddress,
        delivery::{Phase, Reply},
    },
};

/// An open session. Whoever meets [`Trouble::Lost`], [`Trouble::Protocol`] or
/// [`Trouble::Unanswered`] must drop it: its state is unknown.
pub struct Session {
    connection: AsyncSmtpConnection,
    gate: Arc<Gate>,
    timeouts: Timeouts,
    opened: Instant,
    messages: u32,
}

impl Session {
    pub(super) fn new(
        connection: AsyncSmtpConnection,
        gate: Arc<Gate>,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            connection,
            gate,
            timeouts,
            opened: Instant::now(),
            messages: 0,
        }
    }

    /// How many messages were handed over in this session.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// How long it has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// MAIL and RCPT: 250, then 250, 251 or 252.
    ///
    /// # Errors
    /// [`Trouble::Refused`] leaves the session usable after [`Session::reset`].
    pub async fn envelope(
        &mut self,
        from: &EmailAddress,
        to: &EmailAddress,
    ) -> Result<(), Trouble> {
        let limit = self.timeouts.command;
        let (from, to) = (wire_address(from)?, wire_address(to)?);
        let reply = self
            .command(Phase::Mail, limit, Mail::new(Some(from), Vec::new()))
            .await?;
        expect(Phase::Mail, &reply, &[250])?;
        let reply = self
            .command(Phase::Rcpt, limit, Rcpt::new(to, Vec::new()))
            .await?;
        expect(Phase::Rcpt, &reply, &[250, 251, 252])
    }

    /// DATA, the message in pieces, the dot, and the answer to it (2xx).
    ///
    /// The pieces together are one message whose last line end is left out:
    /// the codec ends it with CRLF dot CRLF and doubles leading dots.
    ///
    /// # Errors
    /// Before the dot left: [`Trouble::Refused`], [`Trouble::Lost`] or
    /// [`Trouble::Protocol`], and the message was certainly not accepted.
    /// After it: [`Trouble::Refused`] at [`Phase::Dot`], or
    /// [`Trouble::Unanswered`], and nobody knows.
    pub async fn message<I, B>(&mut self, pieces: I, length: usize) -> Result<Reply, Trouble>
    where
        I: Iterator<Item = B>,
        B: AsRef<[u8]>,
    {
        let reply = self.command(Phase::Data, self.timeouts.data, Data).await?;
        expect(Phase::Data, &reply, &[354])?;
        if self.gate.has_surplus() {
            // The next reply would be taken for the answer to the dot.
            return Err(Trouble::Protocol {
                phase: Phase::Data,
                reason: "it answered before the message was sent".to_owned(),
            });
        }
        let gate = Arc::clone(&self.gate);
        gate.cork();
        let result = self.body(pieces, length, &gate).await;
        self.messages += 1;
        match result {
            Ok(response) if response.code().severity as u8 == 2 => Ok(as_reply(&response)),
            Ok(response) => Err(Trouble::Unanswered {
                reason: format!(
                    "the relay answered {}, which means nothing here",
                    response.code()
                ),
            }),
            Err(Failure::Smtp(error)) => Err(match reply_of(&error) {
                Some(reply) => Trouble::Refused {
                    phase: Phase::Dot,
                    reply,
                },
                None if gate.dot_left() => Trouble::Unanswered {
                    reason: cause(&error),
                },
                None => Trouble::before_dot(Phase::Data, &error),
            }),
            Err(Failure::Timeout(limit)) if gate.dot_left() => Err(Trouble::Unanswered {
                reason: format!("no answer within {}", humantime::format_duration(limit)),
            }),
            Err(Failure::Timeout(limit)) => Err(Trouble::timeout(Phase::Data, limit)),
        }
    }

    /// Writes within one limit per 64 KiB; once the dot has left, waits for the
    /// answer within its own, longer limit.
    async fn body<I, B>(
        &mut self,
        pieces: I,
        length: usize,
        gate: &Gate,
    ) -> Result<Response, Failure>
    where
        I: Iterator<Item = B>,
        B: AsRef<[u8]>,
    {
        let blocks = u32::try_from(length / (64 * 1024)).unwrap_or(u32::MAX - 1) + 1;
        let writing = self.timeouts.block.saturating_mul(blocks);
        let answer = self.timeouts.dot;
        let pieces = UntilDot { pieces, gate };
        let mut exchange = pin!(self.connection.message_iter(pieces));
        tokio::select! {
            biased;
            result = exchange.as_mut() => return result.map_err(Failure::Smtp),
            () = gate.dot_leaves() => {}
            () = sleep(writing) => return Err(Failure::Timeout(writing)),
        }
        match timeout(answer, exchange).await {
            Ok(result) => result.map_err(Failure::Smtp),
            Err(_) => Err(Failure::Timeout(answer)),
        }
    }

    /// RSET, after a transaction that was not finished.
    ///
    /// # Errors
    /// When the session is not usable any more.
    pub async fn reset(&mut self) -> Result<(), Trouble> {
        let reply = self
            .command(Phase::Mail, self.timeouts.command, Rset)
            .await?;
        expect(Phase::Mail, &reply, &[250])
    }

    /// QUIT; the answer is given a moment and then not waited for.
    pub async fn quit(mut self) {
        // The relay closes whatever it answers; nothing depends on it.
        let _ = timeout(Duration::from_secs(1), self.connection.command(Quit)).await;
    }

    async fn command<C: std::fmt::Display>(
        &mut self,
        phase: Phase,
        limit: Duration,
        command: C,
    ) -> Result<Response, Trouble> {
        if self.gate.has_surplus() {
            return Err(unasked(phase));
        }
        match timeout(limit, self.connection.command(command)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Trouble::before_dot(phase, &error)),
            Err(_) => Err(Trouble::timeout(phase, limit)),
        }
    }
}

/// The relay said more than it was asked: whatever it says next may be the
/// answer to something else. Between messages that is how some say goodbye.
fn unasked(phase: Phase) -> Trouble {
    let reason = "it spoke without being asked".to_owned();
    match phase {
        Phase::Mail => Trouble::Lost { phase, reason },
        _ => Trouble::Protocol { phase, reason },
    }
}

enum Failure {
    Smtp(Error),
    Timeout(Duration),
}

/// Hands out the pieces and, when asked for one more, opens the gate for the
/// dot: lettre writes it next, and not a byte earlier.
struct UntilDot<'g, I> {
    pieces: I,
    gate: &'g Gate,
}

impl<I: Iterator> Iterator for UntilDot<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let piece = self.pieces.next();
        if piece.is_none() {
            self.gate.uncork_for_dot();
        }
        piece
    }
}

/// lettre's address of ours; ours is the stricter one, so a refusal is a fault
/// to be seen, not to be hidden by the unchecked constructor.
fn wire_address(address: &EmailAddress) -> Result<Address, Trouble> {
    Address::new(address.local(), address.domain())
        .map_err(|error| Trouble::Address(error.to_string()))
}

fn expect(phase: Phase, response: &Response, codes: &[u16]) -> Result<(), Trouble> {
    if codes.iter().any(|code| response.has_code(*code)) {
        return Ok(());
    }
    Err(Trouble::Protocol {
        phase,
        reason: format!("answered {}", as_reply(response)),
    })
}

fn as_reply(response: &Response) -> Reply {
    let text = response.message().collect::<Vec<_>>().join(" ");
    Reply::new(u16::from(response.code()), &text)
}
