//! What lies beside the ledger, and what its server says of itself: for whoever
//! looks after them.

use std::io::Write as _;

use chrono::{DateTime, Utc};

use crate::{
    config::settings::StoreSettings,
    store::{Store, StoreError, beside, postgres, sql, sqlite},
};

/// The end of the file that tells by its time when the last copy was made.
const BACKED_UP: &str = ".backed-up";

/// The place of a ledger in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// When `store backup` last made a copy.
    pub backed_up: Option<DateTime<Utc>>,
    /// Whether room is set aside for the last outcomes on a full disk.
    pub has_ballast: bool,
    /// Whether a run was ever begun, which is what sets it aside.
    pub is_in_use: bool,
    /// The kind of network file system it is on, if any.
    pub network: Option<&'static str>,
}

impl Surroundings {
    /// Looks at them; what cannot be seen is not there.
    #[must_use]
    pub fn of(settings: &StoreSettings) -> Self {
        let path = &settings.path;
        let backed_up = beside::companion(path, BACKED_UP);
        let backed_up = backed_up.metadata().and_then(|facts| facts.modified());
        Self {
            backed_up: backed_up.ok().map(DateTime::from),
            has_ballast: beside::ballast::is_there(path),
            is_in_use: beside::companion(path, ".lock").exists(),
            network: sqlite::on_network(path),
        }
    }
}

/// Notes that a copy was made just now. Where that cannot be noted the copy is as
/// good.
pub(super) fn note_backup(settings: &StoreSettings) {
    let path = beside::companion(&settings.path, BACKED_UP);
    let noted = beside::open(&path, &settings.path).and_then(|mut file| {
        file.set_len(0)?;
        file.write_all(b"The time of this file is that of the last `store backup`.\n")
    });
    drop(noted);
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Whether a commit is on stable storage when it is answered.
    pub is_synchronous: bool,
    /// Whether it survives a power cut.
    pub has_fsync: bool,
    /// How many more sessions it lets in.
    pub free_sessions: i64,
    /// How many it lets in at all.
    pub most_sessions: i64,
}

impl Store {
    /// What the server says of itself; none where the ledger is a file.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn server_facts(&self) -> Result<Option<ServerFacts>, StoreError> {
        self.read(|connection| match connection {
            sql::Connection::Sqlite(_) => Ok(None),
            sql::Connection::Postgres(link) => Ok(Some(postgres::facts(link)?)),
        })
        .await
    }
}
