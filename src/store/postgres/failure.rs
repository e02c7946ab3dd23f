//! What can go wrong with a server, sorted by what can be done about it.

use std::{io, sync::Arc};

use tokio_postgres::error::SqlState;

use crate::store::{
    error::{Cause, StoreError, Trouble},
    moving,
};

/// `idle_in_transaction_session_timeout` and `transaction_timeout`: the server has
/// ended the session.
const ENDED: [&str; 2] = ["25P03", "25P04"];

/// Why the server did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::store) enum Failure {
    /// It said so, or could not be reached.
    #[error("{}", words(.0))]
    Told(Arc<tokio_postgres::Error>),
    /// It did not answer in time.
    #[error("no answer in time")]
    Silent,
    /// The session had ended.
    #[error("the connection was closed")]
    Closed,
    /// Another server has taken over from it.
    #[error("another server has taken over from the one that answers")]
    LeftBehind,
    /// Something has to be set up differently, here or there.
    #[error("{0}")]
    Unfit(String),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Told(Arc::new(error))
    }
}

/// The library's own words leave out what the server said.
fn words(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return told.message().to_owned();
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    words
}

/// What to do about a session that could not begin, by what the library says.
const REMEDIES: [(&str, &str); 2] = [
    (
        "password missing",
        "the server asks for a password: name its file in `store.password_file`, or set \
         LETTERPRESS_STORE_PASSWORD",
    ),
    (
        "server does not support TLS",
        "turn on `ssl` there, or take `sslmode=require` out of `store.url` where the way to it is \
         safe",
    ),
];

impl Failure {
    /// Why a session could not begin. What neither the server nor the system says is
    /// a matter of the settings: who we are, how it is to be encrypted, what answers
    /// there.
    pub(super) fn of_beginning(error: tokio_postgres::Error) -> Self {
        if error.code().is_some() || error.is_closed() || is_io(&error) {
            return error.into();
        }
        let words = words(&error);
        let remedy = REMEDIES.iter().find(|(what, _)| *what == words);
        Self::Unfit(match remedy {
            Some((_, remedy)) => format!("{words}; {remedy}"),
            None => format!("{error}: {words}"),
        })
    }

    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Told(error) => error.code(),
            Self::Silent | Self::Closed | Self::LeftBehind | Self::Unfit(_) => None,
        }
    }

    /// Whether there is no server to talk to now; nothing is known of what was
    /// asked last.
    pub(in crate::store) fn is_away(&self) -> bool {
        match self {
            Self::Silent | Self::Closed | Self::LeftBehind => true,
            Self::Unfit(_) => false,
            Self::Told(error) => match error.code() {
                None => error.is_closed() || is_io(error),
                Some(state) => {
                    // Connection exceptions; shutting down, starting; a standby
                    // that is not yet in charge; no session left; a session that
                    // was ended because it, or its transaction, took too long.
                    state.code().starts_with("08")
                        || state.code().starts_with("57P")
                        || ENDED.contains(&state.code())
                        || *state == SqlState::READ_ONLY_SQL_TRANSACTION
                        || *state == SqlState::TOO_MANY_CONNECTIONS
                }
            },
        }
    }

    /// Whether doing the whole transaction again may well succeed: it met with
    /// others, or lost its server. Who `yields` to others waits for a moment only.
    pub(in crate::store) fn is_worth_another_try(&self, yields: bool) -> bool {
        self.is_away() || self.met_others() && (yields || !self.is_out_of_patience())
    }

    fn met_others(&self) -> bool {
        self.is_out_of_patience()
            || self.state().is_some_and(|state| {
                [
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                ]
                .contains(state)
            })
    }

    fn is_out_of_patience(&self) -> bool {
        self.state() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    fn cause(self) -> Cause {
        Cause::Postgres(Arc::new(self))
    }

    /// Whether it waited for others in vain.
    fn is_busy(&self) -> bool {
        self.met_others() || self.state() == Some(&SqlState::QUERY_CANCELED)
    }

    /// What a ledger that left says.
    fn refusal(&self, server: &str) -> Option<StoreError> {
        let state = self.state()?;
        let is_ours = moving::CODES.contains(&state.code());
        is_ours.then(|| moving::refusal(server.as_ref(), &self.to_string()))?
    }

    /// The failure as callers see it, of the server with this name.
    pub(in crate::store) fn at(self, server: &str) -> StoreError {
        let path = || server.into();
        if self.is_away() {
            return StoreError::Away {
                server: server.to_owned(),
                source: self.cause(),
            };
        }
        if self.is_busy() {
            return StoreError::Unavailable {
                path: path(),
                source: self.cause(),
            };
        }
        if let Some(refusal) = self.refusal(server) {
            return refusal;
        }
        if let Self::Unfit(reason) = self {
            return StoreError::Unfit {
                path: path(),
                reason,
            };
        }
        let Some(state) = self.state() else {
            return StoreError::Internal {
                source: self.cause(),
            };
        };
        let trouble = match state.code() {
            "53100" => Some(Trouble::DiskFull),
            "58030" => Some(Trouble::Write),
            "XX001" | "XX002" => Some(Trouble::Corrupt),
            _ => None,
        };
        if let Some(trouble) = trouble {
            return StoreError::Io {
                path: path(),
                trouble,
                source: self.cause(),
            };
        }
        // Who we are, which database, what we may do.
        if ["28", "3D", "3F"].contains(&&state.code()[..2])
            || *state == SqlState::INSUFFICIENT_PRIVILEGE
        {
            return StoreError::Unfit {
                path: path(),
                reason: self.to_string(),
            };
        }
        StoreError::Internal {
            source: self.cause(),
        }
    }
}

/// Whether the system says so, and not who judges certificates by way of it.
fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return !error
                .get_ref()
                .is_some_and(|told| told.is::<rustls::Error>());
        }
        cause = inner.source();
    }
    false
}
