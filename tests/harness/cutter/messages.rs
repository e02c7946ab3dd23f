//! The messages of PostgreSQL's protocol, version 3, as far as it takes to see
//! a transaction begin and commit.

use std::collections::HashMap;
use std::io::Write;

/// The codes that ask for TLS and GSSAPI in the place of a version.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// What one message of the client means.
pub(super) struct Question {
    /// The message as it came.
    pub(super) bytes: Vec<u8>,
    /// The answer will be one bare byte.
    pub(super) asks_for_encryption: bool,
    /// It ends a transaction for good: the statements of that transaction.
    pub(super) commits: Option<Vec<String>>,
    /// Once the server has been ready that often, this message was answered.
    pub(super) ready_after: usize,
}

/// What a client has said so far.
#[derive(Default)]
pub(super) struct Questions {
    bytes: Vec<u8>,
    has_started: bool,
    /// Questions that make the server say that it is ready.
    rounds: usize,
    /// Statements by name, and the statement each portal executes.
    prepared: HashMap<String, String>,
    portals: HashMap<String, String>,
    in_transaction: bool,
    statements: Vec<String>,
}

impl Questions {
    /// Takes more bytes in.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> Option<Question> {
        let begins = usize::from(self.has_started);
        let bytes = take(&mut self.bytes, begins)?;
        if !self.has_started {
            let code = number(&bytes[4..]);
            self.has_started = !ENCRYPTION.contains(&code);
            // To the start of a session the server says that it is ready.
            self.rounds += usize::from(self.has_started);
            return Some(Question {
                asks_for_encryption: !self.has_started,
                bytes,
                commits: None,
                ready_after: 0,
            });
        }
        let (kind, body) = (bytes[0], &bytes[5..]);
        let executed = self.executed(kind, body);
        let commits = executed.and_then(|sql| self.committed(sql));
        // The round of an execution ends with the Sync that follows it.
        let ready_after = self.rounds + 1;
        self.rounds += usize::from(matches!(kind, b'Q' | b'S'));
        Some(Question {
            bytes,
            asks_for_encryption: false,
            commits,
            ready_after,
        })
    }

    /// The statement that this message has the server execute.
    fn executed(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        let mut texts = body.split(|byte| *byte == 0);
        let mut text = || String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned();
        match kind {
            b'Q' => Some(text()),
            b'P' => {
                let name = text();
                self.prepared.insert(name, text());
                None
            }
            b'B' => {
                let portal = text();
                let sql = self.prepared.get(&text()).cloned().unwrap_or_default();
                self.portals.insert(portal, sql);
                None
            }
            b'E' => self.portals.get(&text()).cloned(),
            _ => None,
        }
    }

    /// What a transaction held that this statement commits. One outside of any
    /// transaction commits itself.
    fn committed(&mut self, sql: String) -> Option<Vec<String>> {
        let upper = sql.to_uppercase();
        let has = |word: &str| {
            upper
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|found| found == word)
        };
        let begins = has("BEGIN") || upper.trim_start().starts_with("START TRANSACTION");
        let (commits, gives_up) = (has("COMMIT"), upper.trim_start() == "ROLLBACK");
        self.in_transaction |= begins;
        self.statements.push(sql);
        if gives_up || commits || !self.in_transaction {
            self.in_transaction = false;
            let statements = std::mem::take(&mut self.statements);
            return (!gives_up).then_some(statements);
        }
        None
    }
}

/// What a server has said so far.
#[derive(Default)]
pub(super) struct Answers {
    bytes: Vec<u8>,
    ready: usize,
}

impl Answers {
    /// Takes more bytes in.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Passes one byte on that is no message. False when there is none yet.
    pub(super) fn take_bare(&mut self, to: &mut impl Write) -> bool {
        if self.bytes.is_empty() {
            return false;
        }
        let byte = self.bytes.remove(0);
        drop(to.write_all(&[byte]));
        true
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let message = take(&mut self.bytes, 1)?;
        self.ready += usize::from(message[0] == b'Z');
        Some(message)
    }

    /// How often the server has said that it is ready for a question.
    pub(super) fn ready(&self) -> usize {
        self.ready
    }
}

/// Cuts a whole message off the front; its length stands after `kind` bytes.
fn take(bytes: &mut Vec<u8>, kind: usize) -> Option<Vec<u8>> {
    if bytes.len() < kind + 4 {
        return None;
    }
    let length = kind + number(&bytes[kind..]) as usize;
    if bytes.len() < length {
        return None;
    }
    let rest = bytes.split_off(length);
    Some(std::mem::replace(bytes, rest))
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    fn started() -> Questions {
        let mut questions = Questions::default();
        let start = [&8_u32.to_be_bytes(), &196_608_u32.to_be_bytes()[..]].concat();
        questions.add(&start);
        assert!(!questions.next().unwrap().asks_for_encryption);
        questions
    }

    /// What each of these commits, and when it is answered.
    fn said(questions: &mut Questions, messages: &[Vec<u8>]) -> Vec<(Option<usize>, usize)> {
        questions.add(&messages.concat());
        std::iter::from_fn(|| questions.next())
            .map(|one| (one.commits.map(|sql| sql.len()), one.ready_after))
            .collect()
    }

    #[test]
    fn a_commit_is_seen_in_simple_and_in_prepared_statements() {
        let mut questions = started();
        let insert = [
            message(b'Q', b"BEGIN\0"),
            message(b'P', b"s1\0INSERT INTO attempts VALUES ($1)\0\0\0"),
            message(b'S', b""),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'Q', b"COMMIT\0"),
        ];
        let none = |ready| (None, ready);
        // Ready once for the start, then after each Q and each S.
        let expected = [none(2), none(3), none(3), none(4), none(4), none(4)];
        let answers = said(&mut questions, &insert);
        assert_eq!(answers[..6], expected);
        assert_eq!(answers[6], (Some(3), 5), "BEGIN, the insertion, COMMIT");
    }

    #[test]
    fn a_statement_outside_of_a_transaction_commits_itself_and_a_rollback_nothing() {
        let mut questions = started();
        let messages = [
            message(b'Q', b"UPDATE deliveries SET state = 2\0"),
            message(b'Q', b"BEGIN\0"),
            message(b'Q', b"UPDATE deliveries SET state = 3\0"),
            message(b'Q', b"ROLLBACK\0"),
            message(b'Q', b"SELECT commits FROM here\0"),
        ];
        let answers = said(&mut questions, &messages);
        let commits: Vec<_> = answers.into_iter().map(|(commits, _)| commits).collect();
        assert_eq!(commits, [Some(1), None, None, None, Some(1)]);
    }

    #[test]
    fn messages_that_come_in_pieces_are_put_together() {
        let mut questions = started();
        let commit = message(b'Q', b"COMMIT\0");
        let (last, first) = commit.split_last().unwrap();
        questions.add(first);
        assert!(questions.next().is_none());
        questions.add(&[*last]);
        assert_eq!(questions.next().unwrap().bytes, commit);
    }
}
