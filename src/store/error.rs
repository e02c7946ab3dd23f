//! Why the ledger did not do what was asked, sorted by what the caller can do
//! about it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::ErrorCode;

use crate::store::{moving, postgres::Failure, sql};

/// What kind of answer an error calls for; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The database cannot be reached now: exit code 69.
    Unavailable,
    /// Local storage fails: stop before sending, exit code 74.
    Io,
    /// Something has to be set up differently: exit code 78.
    Configuration,
    /// A fault in this program: exit code 70.
    Internal,
}

/// Why the ledger cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No space left.
    DiskFull,
    /// The file would grow beyond the limit of this process (`RLIMIT_FSIZE`).
    SizeLimit,
    /// A write failed.
    Write,
    /// The data may not have reached stable storage: the file handle is not trusted again.
    Sync,
    /// The file or its file system is read-only.
    ReadOnly,
    /// The folder or the file is not there.
    Missing,
    /// The file belongs to somebody else.
    Permission,
    /// The file cannot be opened or made for another reason.
    Open,
    /// The content of the file is damaged.
    Corrupt,
    /// Any other failure of the file system.
    Other,
}

impl Trouble {
    /// What goes wrong where, as the end of "the ledger …".
    fn phrase(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::DiskFull => format!("cannot be written (disk full on {path})"),
            Self::SizeLimit => {
                format!("cannot be written (file size limit RLIMIT_FSIZE on {path})")
            }
            Self::Write => format!("cannot be written (write error on {path})"),
            Self::Sync => format!(
                "cannot be written (stable storage failed on {path}, not trusting this file handle)"
            ),
            Self::ReadOnly => format!("cannot be written (read-only: {path})"),
            Self::Missing => format!("cannot be opened (missing folder or file: {path})"),
            Self::Permission => format!("cannot be opened (no permission: {path})"),
            Self::Open => format!("cannot be opened ({path})"),
            Self::Corrupt => format!("fails its integrity check at {path}"),
            Self::Other => format!("cannot be read or written (I/O error on {path})"),
        }
    }
}

/// The library's or the system's own words, as the source of an error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// From SQLite.
    #[error(transparent)]
    Sqlite(#[from] Arc<rusqlite::Error>),
    /// From PostgreSQL.
    #[error(transparent)]
    Postgres(Arc<dyn std::error::Error + Send + Sync>),
    /// From the operating system.
    #[error(transparent)]
    System(#[from] Arc<io::Error>),
}

/// Why the ledger did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process held the database longer than the busy timeout (30 s).
    #[error("the ledger {} stayed locked by another process for more than 30 seconds", path.display())]
    Unavailable {
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: Cause,
    },
    /// The database server cannot be reached, or went away.
    #[error("the database {server} is away")]
    Away {
        /// The server, without a login.
        server: String,
        /// Its words, or the system's.
        #[source]
        source: Cause,
    },
    /// Disk full, unwritable, unreadable, damaged.
    #[error("the ledger {}", trouble.phrase(path))]
    Io {
        /// The database or lock file.
        path: PathBuf,
        /// Which of these.
        trouble: Trouble,
        /// SQLite's or the system's words.
        #[source]
        source: Cause,
    },
    /// The schema is not one this binary works with.
    #[error(
        "the ledger {} has schema version {found}; this program works with version {known}",
        path.display()
    )]
    Version {
        /// The database file.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Version of the binary.
        known: i64,
    },
    /// The path names something that cannot hold a ledger.
    #[error("{} cannot hold the ledger: {reason}", path.display())]
    Unfit {
        /// The path as configured.
        path: PathBuf,
        /// Why not, and what would do.
        reason: String,
    },
    /// The file system does not keep SQLite's locks.
    #[error(
        "the ledger {} is on a network file system ({kind}), where locks and fsync cannot be trusted; \
         put it on a local disk or set `store.allow_network_file_system = true`",
        path.display()
    )]
    NetworkFileSystem {
        /// The database file.
        path: PathBuf,
        /// Such as NFS.
        kind: &'static str,
    },
    /// It is elsewhere, or on its way there.
    #[error(
        "the ledger {} {} {to}",
        path.display(),
        if *is_whole { "was moved to" } else { "is being moved to" }
    )]
    Moved {
        /// Where it was.
        path: PathBuf,
        /// Where it goes.
        to: String,
        /// Whether all of it is there.
        is_whole: bool,
    },
    /// Not all of it is here yet.
    #[error("the move of the ledger {source_name} to {} is not finished", path.display())]
    Arriving {
        /// Where it goes.
        path: PathBuf,
        /// Where it was.
        source_name: String,
    },
    /// A fault in this program.
    #[error("the ledger refused a statement: a fault in this program")]
    Internal {
        /// The database's words.
        #[source]
        source: Cause,
    },
    /// The thread that writes the ledger has ended.
    #[error("the ledger was closed before it answered")]
    Closed,
}

impl StoreError {
    /// What the error calls for.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. } | Self::Away { .. } => ErrorClass::Unavailable,
            Self::Io { .. } => ErrorClass::Io,
            Self::Version { .. }
            | Self::Unfit { .. }
            | Self::NetworkFileSystem { .. }
            | Self::Moved { .. }
            | Self::Arriving { .. } => ErrorClass::Configuration,
            Self::Internal { .. } | Self::Closed => ErrorClass::Internal,
        }
    }

    /// Whether the database is there for others but not now for us, or not now at
    /// all: what it was asked may be asked again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.class() == ErrorClass::Unavailable
    }

    /// Which trouble with storage it is, if it is one.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Io { trouble, .. } => Some(*trouble),
            _ => None,
        }
    }

    /// A failure of the operating system at `path`.
    pub(super) fn system(path: PathBuf, source: io::Error) -> Self {
        let trouble = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::DiskFull,
            io::ErrorKind::FileTooLarge => Trouble::SizeLimit,
            io::ErrorKind::ReadOnlyFilesystem => Trouble::ReadOnly,
            io::ErrorKind::NotFound => Trouble::Missing,
            io::ErrorKind::PermissionDenied => Trouble::Permission,
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists => Trouble::Open,
            _ => Trouble::Other,
        };
        Self::Io {
            path,
            trouble,
            source: Arc::new(source).into(),
        }
    }

    /// A failure of SQLite on the database at `path`.
    pub(super) fn sqlite(path: PathBuf, error: rusqlite::Error) -> Self {
        if let rusqlite::Error::SqliteFailure(failure, Some(words)) = &error
            && failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER
            && let Some(refusal) = moving::refusal(&path, words)
        {
            return refusal;
        }
        let verdict = judge(&error);
        let source = Cause::from(Arc::new(error));
        match verdict {
            Verdict::Busy => Self::Unavailable { path, source },
            Verdict::Storage(trouble) => Self::Io {
                path,
                trouble,
                source,
            },
            Verdict::Fault => Self::Internal { source },
        }
    }
}

enum Verdict {
    Busy,
    Storage(Trouble),
    Fault,
}

/// Answers the caller's question from SQLite's codes.
fn judge(error: &rusqlite::Error) -> Verdict {
    use rusqlite::ffi;
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Verdict::Busy,
            ErrorCode::DiskFull => Verdict::Storage(Trouble::DiskFull),
            ErrorCode::ReadOnly => Verdict::Storage(Trouble::ReadOnly),
            ErrorCode::CannotOpen => Verdict::Storage(Trouble::Open),
            ErrorCode::PermissionDenied => Verdict::Storage(Trouble::Permission),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                Verdict::Storage(Trouble::Corrupt)
            }
            ErrorCode::SystemIoFailure => Verdict::Storage(match failure.extended_code {
                // SQLite has no code of its own for the limit.
                ffi::SQLITE_IOERR_WRITE if has_size_limit() => Trouble::SizeLimit,
                ffi::SQLITE_IOERR_WRITE => Trouble::Write,
                ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => Trouble::Sync,
                // The index of the log is made anew at every start.
                ffi::SQLITE_IOERR_SHMSIZE if has_size_limit() => Trouble::SizeLimit,
                ffi::SQLITE_IOERR_SHMSIZE => Trouble::DiskFull,
                _ => Trouble::Other,
            }),
            _ => Verdict::Fault,
        },
        // What a column holds was never written by us.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => Verdict::Storage(Trouble::Corrupt),
        _ => Verdict::Fault,
    }
}

#[cfg(unix)]
fn has_size_limit() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    limit.current.is_some()
}

#[cfg(not(unix))]
fn has_size_limit() -> bool {
    false
}

/// Inside the store: a database's error, or one that is already put into words.
#[derive(Debug)]
pub(super) enum Fault {
    Database(sql::Error),
    Told(StoreError),
}

impl Fault {
    /// The error as callers see it.
    pub(super) fn at(self, path: PathBuf) -> StoreError {
        match self {
            Self::Database(sql::Error::Sqlite(error)) => StoreError::sqlite(path, error),
            Self::Database(sql::Error::Postgres(failure)) => failure.at(&path.to_string_lossy()),
            Self::Told(error) => error,
        }
    }
}

impl From<sql::Error> for Fault {
    fn from(error: sql::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Database(failure.into())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<rusqlite::types::FromSqlError> for Fault {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Database(error.into())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}
