//! How a command ends: exit codes (after sysexits.h), and errors as people
//! read them.

use std::{
    error::Error,
    fmt::{self, Write as _},
    path::Path,
};

use crate::domain::problem::Problem;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, nothing to do, or another healthy run is at work.
    Done = 0,
    /// The command line is wrong.
    Usage = 2,
    /// Finished; some deliveries are uncertain and held.
    Uncertain = 3,
    /// An issue was paused by a safety stop.
    Paused = 4,
    /// Bad input data: articles, lists, templates.
    Data = 65,
    /// A named input is missing.
    NoInput = 66,
    /// The database cannot be reached.
    Database = 69,
    /// Internal error or crash loop.
    Internal = 70,
    /// Local I/O: disk full, failed sync, corrupt file.
    Io = 74,
    /// The relay is away or asks for patience; the next run continues.
    Temporary = 75,
    /// The relay breaks the protocol.
    Protocol = 76,
    /// Login, TLS identity or relaying refused.
    Refused = 77,
    /// Configuration, sender identity or a restored database.
    Config = 78,
}

impl Exit {
    /// If several apply, the first of these is the one that counts.
    const ORDER: [Self; 12] = [
        Self::Usage,
        Self::Internal,
        Self::Io,
        Self::Database,
        Self::Refused,
        Self::Config,
        Self::Protocol,
        Self::Data,
        Self::NoInput,
        Self::Paused,
        Self::Uncertain,
        Self::Temporary,
    ];

    /// The code for the shell.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Of two endings, the one that matters more.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit: Self| {
            Self::ORDER
                .iter()
                .position(|e| *e == exit)
                .unwrap_or(Self::ORDER.len())
        };
        if rank(other) < rank(self) {
            other
        } else {
            self
        }
    }
}

const BEFORE_SENDING: &str = ": stopped before sending; free space and run again";

/// Why a command did not do what it was asked: printed once, as
/// `error: …`, `caused by: …`, `hint: …`.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    what: String,
    causes: Vec<String>,
    hint: Option<String>,
    /// The ledger cannot be written: there may be no room.
    is_unwritten: bool,
    /// Another command holds the ledger.
    is_busy: bool,
}

impl Failure {
    /// A failure in one phrase.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            causes: Vec::new(),
            hint: None,
            is_unwritten: false,
            is_busy: false,
        }
    }

    /// A failure with the causes of an error. Some libraries repeat the cause
    /// in their own text: each is said once.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            let said = failure.causes.last().unwrap_or(&failure.what);
            if !said.contains(&text) {
                failure.causes.push(text);
            }
            source = cause.source();
        }
        failure
    }

    /// The same failure with all its causes.
    #[must_use]
    pub fn because(mut self, causes: impl IntoIterator<Item = String>) -> Self {
        self.causes.extend(causes);
        self
    }

    /// The same failure as the cause of a larger one.
    #[must_use]
    pub fn within(mut self, what: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.what, what.into());
        self.causes.insert(0, cause);
        self
    }

    /// As a finding about a file, for those who list findings.
    #[must_use]
    pub fn problem(&self, file: &Path) -> Problem {
        let mut what = self.what.clone();
        for cause in &self.causes {
            let _ = write!(what, ": {cause}");
        }
        let remedy = self.hint.as_deref().unwrap_or("make it readable");
        Problem::error(file, None, what, remedy)
    }

    /// Marks a failure to write the ledger.
    #[must_use]
    pub fn unwritten(mut self) -> Self {
        self.is_unwritten = true;
        self
    }

    /// Whether it is one.
    #[must_use]
    pub fn is_unwritten(&self) -> bool {
        self.is_unwritten
    }

    /// Marks a failure that will pass: another command holds the ledger.
    #[must_use]
    pub fn busy(mut self) -> Self {
        self.is_busy = true;
        self
    }

    /// Whether it is one.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Adds what a ledger that cannot be written means for a command that sends;
    /// for the last that handles the failure.
    #[must_use]
    pub fn before_sending(mut self) -> Self {
        if self.is_unwritten {
            self.what.push_str(BEFORE_SENDING);
            self.hint = Some(
                "nothing is lost: what the relay took is on record, or will be listed as uncertain"
                    .to_owned(),
            );
        }
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for cause in &self.causes {
            write!(f, "\ncaused by: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_two_endings_counts() {
        assert_eq!(Exit::Done.worse(Exit::Temporary), Exit::Temporary);
        assert_eq!(Exit::Temporary.worse(Exit::Uncertain), Exit::Uncertain);
        assert_eq!(Exit::Io.worse(Exit::Refused), Exit::Io);
        assert_eq!(Exit::Paused.worse(Exit::Config), Exit::Config);
    }

    #[test]
    fn each_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {source}")]
        struct Outer {
            source: std::io::Error,
        }
        let error = Outer {
            source: std::io::Error::other("disk full"),
        };
        let text = Failure::of(Exit::Io, &error).hint("free space").to_string();
        assert_eq!(text, "error: outer: disk full\nhint: free space");
    }
}
