//! The commands of a session, one message after another. Where the relay
//! offers PIPELINING (RFC 2920), MAIL, RCPT and DATA travel together, and those
//! of the next message together with the end of the one before.

use std::time::Duration;

use lettre::transport::smtp::{client::AsyncSmtpConnection, commands::Quit, response::Response};
use tokio::{pin, time::timeout};

use super::{
    Envelope, Trouble,
    stream::{OVERDUE, RelayStream},
    trouble::{cause, reply_of},
};
use crate::{
    config::settings::Timeouts,
    domain::delivery::{Phase, Reply},
    moment::Moment,
};

/// What opens a transaction, in order.
const STEPS: [Phase; 3] = [Phase::Mail, Phase::Rcpt, Phase::Data];
/// After a standstill the timer may be heard before the answer that came
/// meanwhile: so long it is looked for once more.
const LAST_LOOK: Duration = Duration::from_millis(500);

/// An open session. Whoever meets [`Trouble::Lost`], [`Trouble::Protocol`] or
/// [`Trouble::Unanswered`] must drop it: its state is unknown.
pub struct Session {
    connection: AsyncSmtpConnection,
    stream: RelayStream,
    timeouts: Timeouts,
    opened: Moment,
    /// When the relay was last heard, or the present step began: the next must
    /// not be later than its limit, by the clock that never stands still.
    touched: Moment,
    messages: u32,
    /// A transaction was refused and must be undone before the next one.
    needs_reset: bool,
    /// RSET was sent and not answered yet.
    owes_reset: bool,
    /// A transaction was begun whose answers were not read yet.
    is_begun: bool,
    is_broken: bool,
}

impl Session {
    pub(super) fn new(
        connection: AsyncSmtpConnection,
        stream: RelayStream,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            connection,
            stream,
            timeouts,
            opened: Moment::now(),
            touched: Moment::now(),
            messages: 0,
            needs_reset: false,
            owes_reset: false,
            is_begun: false,
            is_broken: false,
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

    /// Whether the next transaction may begin before this one is answered.
    #[must_use]
    pub fn is_pipelining(&self) -> bool {
        self.stream.offers_pipelining()
    }

    /// The largest message the relay takes, in bytes, if it says (RFC 1870).
    #[must_use]
    pub fn largest(&self) -> Option<usize> {
        self.stream.largest()
    }

    /// The certificate that the relay showed (DER); none without TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.stream.certificate()
    }

    /// Whether the relay offers what this envelope needs.
    #[must_use]
    pub fn carries(&self, envelope: &Envelope) -> bool {
        !envelope.is_international || self.stream.offers_smtputf8()
    }

    /// Whether a transaction was begun ahead, by [`Session::end`]. It can only
    /// be opened, or the session be dropped.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Whether it had something to do before: a relay may have closed it since.
    #[must_use]
    pub fn was_used(&self) -> bool {
        self.messages > 0 || self.needs_reset
    }

    /// Whether the relay got out of step after it had refused something in due
    /// form, or was kept waiting for too long: nothing can follow.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// MAIL (250), RCPT (250, 251 or 252) and DATA (354), unless they are under
    /// way already. From here on the session waits for a message: to give up
    /// means to drop it.
    ///
    /// # Errors
    /// [`Trouble::Refused`] leaves the session usable, unless it
    /// [is broken](Session::is_broken) or the code says otherwise.
    pub async fn open(&mut self, envelope: &Envelope) -> Result<(), Trouble> {
        if !self.carries(envelope) {
            return Err(Trouble::Address("relay lacks SMTPUTF8".to_owned()));
        }
        if self.is_broken {
            return Err(overdue(Phase::Mail));
        }
        let is_pipelining = self.is_pipelining();
        if !std::mem::take(&mut self.is_begun) {
            self.touched = Moment::now();
            self.nothing_unasked(Phase::Mail)?;
            if is_pipelining {
                self.put_envelope(envelope);
                self.flush(Phase::Mail, self.timeouts.command).await?;
            }
        }
        self.undo_refused(is_pipelining).await?;
        let mut refusal: Option<Trouble> = None;
        for phase in STEPS {
            if !is_pipelining {
                if refusal.is_some() {
                    break;
                }
                self.nothing_unasked(phase)?;
                self.put_step(phase, envelope);
                self.flush(phase, self.limit(phase)).await?;
            }
            let answer = self.answer(phase).await;
            match (answer, &refusal) {
                (Ok(()), None) => {}
                (Err(trouble), None) if is_refused(&trouble) => refusal = Some(trouble),
                (Err(trouble), None) => return Err(trouble),
                (answer, Some(first)) => {
                    self.is_broken |= !self.after_refusal(phase, first, answer).await;
                    if self.is_broken {
                        break;
                    }
                }
            }
        }
        if let Some(refusal) = refusal {
            self.needs_reset = true;
            return Err(refusal);
        }
        // The next reply would be taken for the answer to the dot.
        self.nothing_early()
    }

    /// Whether the relay still waits for a message of `size` bytes, which it
    /// asked for a moment ago.
    ///
    /// # Errors
    /// [`Trouble::Lost`] when we stood still since, for longer than it may wait.
    pub fn awaits(&self, size: usize) -> Result<(), Trouble> {
        if self.touched.elapsed() <= self.text_limit(size) {
            Ok(())
        } else {
            Err(overdue(Phase::Data))
        }
    }

    /// The message in pieces, CRLF line ends throughout, without its dot. Dots
    /// that begin a line are doubled on the way.
    ///
    /// # Errors
    /// The message was certainly not accepted.
    pub async fn text<'m>(
        &mut self,
        pieces: impl Iterator<Item = &'m [u8]>,
        size: usize,
    ) -> Result<(), Trouble> {
        let limit = self.text_limit(size);
        self.stream.begin_text(self.touched + limit);
        let sending = async {
            for piece in pieces {
                self.stream.put_text(piece).await?;
            }
            Ok(())
        };
        match timeout(limit, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Trouble::broken(Phase::Data, &error)),
            Err(_) => Err(Trouble::timeout(Phase::Data, limit)),
        }
    }

    /// The dot, with what begins the `next` message behind it, and the answer
    /// to the dot (2xx).
    ///
    /// # Errors
    /// Before the dot left: [`Trouble::Lost`] or [`Trouble::Protocol`], and the
    /// message was certainly not accepted. After it: [`Trouble::Refused`] at
    /// [`Phase::Dot`], or [`Trouble::Unanswered`], and nobody knows.
    pub async fn end(&mut self, next: Option<&Envelope>) -> Result<Reply, Trouble> {
        self.messages += 1;
        self.stream.put_dot();
        if let Some(next) = next {
            self.put_envelope(next);
            self.is_begun = true;
        }
        let flushed = self.flush(Phase::Data, self.timeouts.block).await;
        // Once the dot has left, its answer counts, whatever became of the rest.
        if !self.stream.dot_left() {
            flushed?;
        }
        let limit = self.timeouts.dot;
        self.touched = Moment::now();
        let answer = {
            let answer = self.connection.read_response();
            pin!(answer);
            match timeout(limit, &mut answer).await {
                Err(_) => timeout(LAST_LOOK, answer).await,
                answer => answer,
            }
        };
        // What was said counts however late we heard it, but a relay that was
        // kept waiting is not to be trusted with another message.
        self.is_broken |= !self.is_in_time(limit);
        match answer {
            Ok(Ok(response)) if response.code().severity as u8 == 2 => Ok(as_reply(&response)),
            Ok(Ok(response)) => Err(Trouble::Unanswered {
                reason: format!(
                    "the relay answered {}, which means nothing here",
                    response.code()
                ),
            }),
            Ok(Err(error)) => Err(match reply_of(&error) {
                Some(reply) => Trouble::Refused {
                    phase: Phase::Dot,
                    reply,
                },
                None => Trouble::Unanswered {
                    reason: cause(&error),
                },
            }),
            Err(_) => Err(Trouble::Unanswered {
                reason: format!("no answer within {}", humantime::format_duration(limit)),
            }),
        }
    }

    /// QUIT; the answer is given a moment and then not waited for.
    pub async fn quit(mut self) {
        if self.is_begun || self.is_broken {
            // Nothing can be said any more; the socket is closed.
            return;
        }
        // The relay closes whatever it answers; nothing depends on it.
        let _ = timeout(Duration::from_secs(1), self.connection.command(Quit)).await;
    }

    fn put_envelope(&mut self, envelope: &Envelope) {
        if std::mem::take(&mut self.needs_reset) {
            self.stream.put_command("RSET\r\n");
            self.owes_reset = true;
        }
        for phase in STEPS {
            self.put_step(phase, envelope);
        }
    }

    fn put_step(&self, phase: Phase, envelope: &Envelope) {
        self.stream.put_command(match phase {
            Phase::Mail => &envelope.mail,
            Phase::Rcpt => &envelope.rcpt,
            _ => "DATA\r\n",
        });
    }

    /// RSET, after a transaction that was refused. A session that fails here
    /// was lost while it was idle.
    async fn undo_refused(&mut self, is_pipelining: bool) -> Result<(), Trouble> {
        if !is_pipelining && std::mem::take(&mut self.needs_reset) {
            self.stream.put_command("RSET\r\n");
            self.flush(Phase::Mail, self.timeouts.command).await?;
            self.owes_reset = true;
        }
        if !std::mem::take(&mut self.owes_reset) {
            return Ok(());
        }
        match self.reply(Phase::Mail, self.timeouts.command).await {
            Ok(response) if response.has_code(250) => Ok(()),
            Ok(response) => Err(lost_idle(&as_reply(&response))),
            Err(Trouble::Refused { reply, .. }) => Err(lost_idle(&reply)),
            Err(trouble) => Err(trouble),
        }
    }

    /// What follows the `first` refusal in its group says nothing new, but must
    /// be in due form. False when it is not.
    async fn after_refusal(
        &mut self,
        phase: Phase,
        first: &Trouble,
        answer: Result<(), Trouble>,
    ) -> bool {
        match answer {
            Err(Trouble::Refused { reply, .. }) => reply.code != 421,
            Err(_) => false,
            Ok(()) if phase != Phase::Data => true,
            // It waits for a message to nobody: an empty one (RFC 2920 3.1).
            // A sender it did refuse can have no message at all.
            Ok(()) if first.phase() == Some(Phase::Rcpt) && !self.stream.has_surplus() => {
                self.stream.put_command(".\r\n");
                let limit = self.timeouts.data;
                self.flush(Phase::Data, limit).await.is_ok()
                    && matches!(
                        self.reply(Phase::Data, limit).await,
                        Err(Trouble::Refused { reply, .. }) if reply.code != 421
                    )
            }
            Ok(()) => false,
        }
    }

    /// The answer to a step, with the codes that RFC 5321 4.3.2 has for it.
    async fn answer(&mut self, phase: Phase) -> Result<(), Trouble> {
        let codes: &[u16] = match phase {
            Phase::Mail => &[250],
            Phase::Rcpt => &[250, 251, 252],
            _ => &[354],
        };
        let response = self.reply(phase, self.limit(phase)).await?;
        if codes.iter().any(|code| response.has_code(*code)) {
            return Ok(());
        }
        Err(Trouble::Protocol {
            phase,
            reason: format!("answered {}", as_reply(&response)),
        })
    }

    async fn reply(&mut self, phase: Phase, limit: Duration) -> Result<Response, Trouble> {
        let answer = timeout(limit, self.connection.read_response()).await;
        let is_in_time = self.is_in_time(limit);
        match answer {
            Ok(_) if !is_in_time => Err(overdue(phase)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Trouble::before_dot(phase, &error)),
            Err(_) => Err(Trouble::timeout(phase, limit)),
        }
    }

    async fn flush(&self, phase: Phase, limit: Duration) -> Result<(), Trouble> {
        match timeout(limit, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Trouble::broken(phase, &error)),
            Err(_) => Err(Trouble::timeout(phase, limit)),
        }
    }

    fn limit(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Data => self.timeouts.data,
            _ => self.timeouts.command,
        }
    }

    /// How long the whole text of a message may take.
    fn text_limit(&self, size: usize) -> Duration {
        let blocks = u32::try_from(size / (64 * 1024)).unwrap_or(u32::MAX - 1) + 1;
        self.timeouts.block.saturating_mul(blocks)
    }

    /// Whether no more than `limit` passed since the last step; the next begins.
    fn is_in_time(&mut self, limit: Duration) -> bool {
        let is_in_time = self.touched.elapsed() <= limit + LAST_LOOK;
        self.touched = Moment::now();
        is_in_time
    }

    /// The relay said more than it was asked: whatever it says next may be the
    /// answer to something else. Between messages that is how some say goodbye.
    fn nothing_unasked(&self, phase: Phase) -> Result<(), Trouble> {
        if !self.stream.has_surplus() {
            return Ok(());
        }
        let reason = "it spoke without being asked".to_owned();
        Err(match phase {
            Phase::Mail => Trouble::Lost { phase, reason },
            _ => Trouble::Protocol { phase, reason },
        })
    }

    fn nothing_early(&self) -> Result<(), Trouble> {
        if !self.stream.has_surplus() {
            return Ok(());
        }
        Err(Trouble::Protocol {
            phase: Phase::Data,
            reason: "it answered before the message was sent".to_owned(),
        })
    }
}

/// A no in due form that leaves the relay ready for the next answer.
fn is_refused(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Refused { reply, .. } if !matches!(reply.code, 421 | 503))
}

fn overdue(phase: Phase) -> Trouble {
    Trouble::Lost {
        phase,
        reason: OVERDUE.to_owned(),
    }
}

fn lost_idle(reply: &Reply) -> Trouble {
    Trouble::Lost {
        phase: Phase::Mail,
        reason: format!("RSET was answered with {reply}"),
    }
}

fn as_reply(response: &Response) -> Reply {
    let text = response.message().collect::<Vec<_>>().join(" ");
    Reply::new(u16::from(response.code()), &text)
}
