//! One client's dialogue with the sink, command by command (RFC 5321).

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;

use super::behaviour::{Answer, Encryption, Phase};
use super::script::{self, Fault};
use super::wire::Wire;
use super::{Heard, Shared};
use crate::harness::receipt::Fate;

const ACCEPTED: &str = "250 2.0.0 taken";

struct Session<'a> {
    wire: Wire,
    number: usize,
    shared: &'a Shared,
    logged_in: bool,
    /// Recipients of the open transaction; `None` before MAIL.
    recipients: Option<Vec<String>>,
    taken: usize,
}

/// Serves one connection until either side ends it.
pub(super) fn serve(socket: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    let mut wire = Wire::new(socket)?;
    if encryption(shared) == Encryption::Implicit
        && let Some(config) = &shared.tls
    {
        wire.start_tls(Arc::clone(config))?;
    }
    let mut session = Session {
        wire,
        number,
        shared,
        logged_in: false,
        recipients: None,
        taken: 0,
    };
    let mut open = session
        .answer(Phase::Connect, "220 relay.example.net ESMTP chaos")?
        .is_some();
    while open {
        let Some(line) = session.wire.line()? else {
            return Ok(());
        };
        open = session.command(&line)?.is_some();
    }
    Ok(())
}

fn encryption(shared: &Shared) -> Encryption {
    shared.behaviour.lock().unwrap().encryption
}

impl Session<'_> {
    /// Handles one command. `None` says that the connection is to be closed;
    /// otherwise the code of the reply that was given.
    fn command(&mut self, line: &[u8]) -> io::Result<Option<u16>> {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        self.hear(&line);
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                let capabilities = self.capabilities();
                self.recipients = None;
                self.answer(Phase::Ehlo, &capabilities)
            }
            "HELO" => self.answer(Phase::Ehlo, "250 relay.example.net"),
            "STARTTLS" => self.start_tls(),
            "AUTH" => self.auth(rest),
            "MAIL" => self.mail(),
            "RCPT" => self.rcpt(rest),
            "DATA" => self.data(),
            "RSET" => {
                self.recipients = None;
                self.answer(Phase::Rset, "250 2.0.0 reset")
            }
            "NOOP" => self.answer(Phase::Noop, "250 2.0.0 nothing done"),
            "QUIT" => {
                self.answer(Phase::Quit, "221 2.0.0 bye")?;
                Ok(None)
            }
            _ => self.give(None, "500 5.5.2 unknown command"),
        }
    }

    fn hear(&self, line: &str) {
        if self.shared.keeps_commands {
            self.shared.commands.lock().unwrap().push(Heard {
                connection: self.number,
                line: line.to_owned(),
                is_followed: self.wire.has_more(),
            });
        }
    }

    fn capabilities(&self) -> String {
        let behaviour = self.shared.behaviour.lock().unwrap();
        let mut lines = vec!["relay.example.net".to_owned()];
        lines.extend(behaviour.capabilities.iter().cloned());
        if behaviour.encryption == Encryption::StartTls && !self.wire.is_encrypted() {
            lines.push("STARTTLS".to_owned());
        }
        if behaviour.login.is_some() {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        let last = lines.len() - 1;
        let mark = |number| if number == last { ' ' } else { '-' };
        let lines: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| format!("250{}{line}", mark(number)))
            .collect();
        lines.join("\r\n")
    }

    fn start_tls(&mut self) -> io::Result<Option<u16>> {
        let offered = encryption(self.shared) == Encryption::StartTls && !self.wire.is_encrypted();
        let Some(config) = self.shared.tls.as_ref().filter(|_| offered) else {
            return self.give(None, "502 5.5.1 not offered");
        };
        let code = self.answer(Phase::StartTls, "220 2.0.0 go ahead")?;
        if code == Some(220) {
            self.wire.start_tls(Arc::clone(config))?;
            self.logged_in = false;
            self.recipients = None;
        }
        Ok(code)
    }

    fn auth(&mut self, rest: &str) -> io::Result<Option<u16>> {
        let rule = self.rule_at(Phase::Auth);
        if rule.is_some() {
            return self.give(rule, "454 4.7.0 try later");
        }
        let login = self.shared.behaviour.lock().unwrap().login.clone();
        let Some(login) = login else {
            return self.give(None, "503 5.5.1 no login here");
        };
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let (name, password) = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.plain_credentials(initial)?,
            "LOGIN" => self.login_credentials(initial)?,
            _ => return self.give(None, "504 5.5.4 unknown mechanism"),
        };
        self.logged_in = name == login.name && password == login.password;
        let reply = if self.logged_in {
            "235 2.7.0 welcome"
        } else {
            login.refusal.as_str()
        };
        self.give(None, reply)
    }

    /// AUTH PLAIN (RFC 4616): identity, name and password between NULs.
    fn plain_credentials(&mut self, initial: &str) -> io::Result<(String, String)> {
        let text = if initial.is_empty() {
            self.challenge("")?
        } else {
            decoded(initial)
        };
        let mut parts = text.split('\0').skip(1).map(str::to_owned);
        Ok((
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        ))
    }

    fn login_credentials(&mut self, initial: &str) -> io::Result<(String, String)> {
        let name = if initial.is_empty() {
            self.challenge("Username:")?
        } else {
            decoded(initial)
        };
        Ok((name, self.challenge("Password:")?))
    }

    fn challenge(&mut self, text: &str) -> io::Result<String> {
        let text = BASE64.encode(text.as_bytes());
        self.wire.reply(format!("334 {text}").as_bytes())?;
        let line = self.wire.line()?.unwrap_or_default();
        Ok(decoded(String::from_utf8_lossy(&line).trim_end()))
    }

    fn mail(&mut self) -> io::Result<Option<u16>> {
        let needs_login = self.shared.behaviour.lock().unwrap().login.is_some();
        if needs_login && !self.logged_in {
            return self.give(None, "530 5.7.0 authentication required");
        }
        if self.recipients.is_some() {
            return self.give(None, "503 5.5.1 a transaction is open");
        }
        let code = self.answer(Phase::Mail, "250 2.1.0 sender ok")?;
        if code == Some(250) {
            self.recipients = Some(Vec::new());
        }
        Ok(code)
    }

    fn rcpt(&mut self, rest: &str) -> io::Result<Option<u16>> {
        if self.recipients.is_none() {
            return self.give(None, "503 5.5.1 MAIL first");
        }
        let address = rest
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .map_or(rest, |(address, _)| address)
            .to_owned();
        let mut rule = self.rule_at(Phase::Rcpt);
        if rule.is_none() {
            rule = self
                .scripted(&address, Fault::is_at_recipient)
                .and_then(answer_of_fault);
        }
        let code = self.give(rule, "250 2.1.5 recipient ok")?;
        if let (Some(250..=252), Some(recipients)) = (code, &mut self.recipients) {
            recipients.push(address);
        }
        Ok(code)
    }

    fn data(&mut self) -> io::Result<Option<u16>> {
        let recipients = self.recipients.clone().unwrap_or_default();
        let Some(first) = recipients.first() else {
            return self.data_for_nobody();
        };
        let code = self.answer(Phase::Data, "354 end with a dot")?;
        if code != Some(354) {
            return Ok(code);
        }
        let cut = self.scripted(first, |fault| *fault == Fault::Cut);
        if cut.is_some() {
            self.wire.line()?;
            return Ok(None);
        }
        let message = self.message()?;
        let code = self.dot(&recipients, &message)?;
        self.recipients = None;
        self.taken += 1;
        let limit = self
            .shared
            .behaviour
            .lock()
            .unwrap()
            .messages_per_connection;
        Ok(code.filter(|_| limit != Some(self.taken)))
    }

    /// DATA without a recipient: some relays ask for the message all the same,
    /// and the client must send an empty one (RFC 2920, 3.1).
    fn data_for_nobody(&mut self) -> io::Result<Option<u16>> {
        let asks = self.shared.behaviour.lock().unwrap().data_for_nobody;
        if !asks || self.recipients.is_none() {
            return self.give(None, "503 5.5.1 no recipient");
        }
        self.give(None, "354 end with a dot")?;
        let message = self.message()?;
        self.hear(&format!("({} bytes for nobody)", message.len()));
        self.recipients = None;
        self.give(None, "554 5.5.1 no valid recipients")
    }

    /// Reads to the terminating dot and undoes dot-stuffing. Only a dot between
    /// two CR LF ends a message, and only a dot after CR LF was stuffed.
    fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        let mut at_line_start = true;
        loop {
            let line = self
                .wire
                .line()?
                .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            if at_line_start && line == b".\r\n" {
                return Ok(message);
            }
            let stuffed = at_line_start && line.starts_with(b".");
            message.extend_from_slice(&line[usize::from(stuffed)..]);
            at_line_start = line.ends_with(b"\r\n");
        }
    }

    /// Decides what becomes of a message, writes it down, then answers.
    fn dot(&mut self, recipients: &[String], message: &[u8]) -> io::Result<Option<u16>> {
        let mut answer = self.rule_at(Phase::Dot);
        if answer.is_none() {
            let at_dot = |fault: &Fault| !fault.is_at_recipient() && *fault != Fault::Cut;
            answer = self
                .scripted(&recipients[0], at_dot)
                .and_then(answer_of_fault);
        }
        let (fate, reply) = fate_of(answer.as_ref());
        self.shared
            .journal
            .record(fate, self.number, recipients, message, &reply);
        self.shared.gate.pass();
        self.give(answer, ACCEPTED)
    }

    /// The first word of this address's script that fits here and has uses
    /// left; uses it up once.
    fn scripted(&self, address: &str, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut uses = self.shared.script_uses.lock().unwrap();
        for (place, word) in script::parse(address).into_iter().enumerate() {
            if !fits(&word.fault) {
                continue;
            }
            let used = uses.entry((address.to_owned(), place)).or_default();
            if word.times.is_none_or(|times| *used < times) {
                *used += 1;
                return Some(word.fault);
            }
        }
        None
    }

    fn rule_at(&self, phase: Phase) -> Option<Answer> {
        self.shared.behaviour.lock().unwrap().answer_at(phase)
    }

    fn answer(&mut self, phase: Phase, usual: &str) -> io::Result<Option<u16>> {
        let answer = self.rule_at(phase);
        self.give(answer, usual)
    }

    /// Gives this answer or the usual one. `None` says that the connection is
    /// to be closed; otherwise the code given, 0 for what is no reply.
    fn give(&mut self, answer: Option<Answer>, usual: &str) -> io::Result<Option<u16>> {
        let reply = match answer {
            None => usual.as_bytes().to_vec(),
            Some(Answer::Reply(reply)) => reply,
            Some(Answer::Late(pause)) => {
                thread::sleep(pause);
                usual.as_bytes().to_vec()
            }
            Some(Answer::Hold) => {
                self.shared.gate.wait();
                usual.as_bytes().to_vec()
            }
            Some(Answer::Raw(bytes)) => {
                self.wire.send(&bytes)?;
                return Ok(Some(code(&bytes)));
            }
            Some(Answer::Trickle(reply, pause)) => {
                for byte in reply.iter().chain(b"\r\n") {
                    self.wire.send(&[*byte])?;
                    thread::sleep(pause);
                }
                return Ok(unless_closing(code(&reply)));
            }
            Some(Answer::Endless(bytes)) => {
                let block = [b'x'; 8192];
                for start in (0..bytes).step_by(block.len()) {
                    self.wire.send(&block[..block.len().min(bytes - start)])?;
                }
                return Ok(None);
            }
            Some(Answer::Silence) => {
                self.wire.drain()?;
                return Ok(None);
            }
            Some(Answer::Close | Answer::Lose) => return Ok(None),
        };
        self.wire.reply(&reply)?;
        Ok(unless_closing(code(&reply)))
    }
}

fn answer_of_fault(fault: Fault) -> Option<Answer> {
    Some(match fault {
        Fault::AtRecipient(reply) | Fault::AtDot(reply) => Answer::reply(&reply),
        Fault::Mute | Fault::Gone => Answer::Close,
        Fault::Lost => Answer::Lose,
        Fault::Slow => Answer::Late(Duration::from_millis(500)),
        Fault::Hold => Answer::Hold,
        Fault::Latin => Answer::Reply(b"250 2.0.0 angenommen f\xFCr Sie".to_vec()),
        Fault::Lines => Answer::reply("250-2.0.0 taken\r\n250-2.0.0 and queued\r\n250 2.0.0 ok"),
        Fault::Garble => Answer::Reply(b"\x00\xFF\x01 what?".to_vec()),
        Fault::Cut => return None,
    })
}

/// What this answer to the dot means for the message, and the reply's text.
fn fate_of(answer: Option<&Answer>) -> (Fate, String) {
    let reply: &[u8] = match answer {
        None | Some(Answer::Late(_) | Answer::Hold) => ACCEPTED.as_bytes(),
        Some(Answer::Lose) => return (Fate::Accepted, String::new()),
        Some(Answer::Reply(reply) | Answer::Raw(reply) | Answer::Trickle(reply, _)) => reply,
        Some(Answer::Endless(_) | Answer::Silence | Answer::Close) => b"",
    };
    let fate = match code(reply) {
        200..=299 => Fate::Accepted,
        400..=599 => Fate::Refused,
        _ => Fate::Unanswered,
    };
    (fate, String::from_utf8_lossy(reply).into_owned())
}

/// The code a reply begins with; 0 for what is no reply.
fn code(reply: &[u8]) -> u16 {
    reply
        .get(..3)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// 421 announces that the server closes the connection (RFC 5321, 3.8).
fn unless_closing(code: u16) -> Option<u16> {
    (code != 421).then_some(code)
}

fn decoded(text: &str) -> String {
    let bytes = BASE64.decode(text.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
