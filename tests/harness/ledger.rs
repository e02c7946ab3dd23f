//! The ledger read from its file or server by statements of the harness's own, so that a
//! test does not ask the program whether the program kept its promise.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use letterpress::domain::subscriber::SubscriberId;
use letterpress::links::Signer;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use crate::harness::oracle::LedgerRow;
use crate::harness::postgres::Database;

/// The states of a delivery by their numbers in the ledger.
const STATES: [&str; 9] = [
    "queued",
    "claimed",
    "inflight",
    "sent",
    "uncertain",
    "rejected",
    "failed",
    "expired",
    "cancelled",
];

/// The states of an issue by their numbers in the ledger.
const ISSUE_STATES: [&str; 4] = ["sending", "paused", "done", "cancelled"];

/// A ledger opened to be looked at.
pub(crate) struct Ledger(Engine);

/// Where it is.
enum Engine {
    File(Connection),
    Server(Arc<Database>),
}

impl Ledger {
    /// Opens the database, a dead process's write-ahead log included.
    #[track_caller]
    pub(crate) fn open(database: &Path) -> Self {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", database.display()));
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        // Whoever looks must leave the log of a dead process as it is: the
        // program itself has to recover from it.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .unwrap();
        Self(Engine::File(connection))
    }

    /// The ledger in a database on a server.
    pub(crate) fn on(database: &Arc<Database>) -> Self {
        Self(Engine::Server(Arc::clone(database)))
    }

    /// Whether there is a ledger already.
    pub(crate) fn is_made(&self) -> bool {
        self.number(match &self.0 {
            Engine::File(_) => "SELECT count(*) FROM sqlite_schema WHERE name = 'deliveries'",
            Engine::Server(_) => "SELECT count(*) FROM pg_tables WHERE tablename = 'deliveries'",
        }) > 0
    }

    /// Every delivery of every issue. Whoever looks at them also holds them
    /// against the sum rule.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<LedgerRow> {
        self.sums_hold();
        let signer = self.signer();
        let row = |values: Vec<String>| {
            let (delivery_id, issue_id) = (values[0].parse().unwrap(), values[1].parse().unwrap());
            let domain = values[5].rsplit('@').next().unwrap_or_default();
            let number = values[4].parse().unwrap();
            let message_id = signer.message_id(issue_id, delivery_id, number, domain);
            LedgerRow {
                delivery_id,
                issue_id,
                recipient: values[2].clone(),
                message_id: message_id.trim_matches(['<', '>']).to_owned(),
                state: state(&values[3]),
                duplicate: values[6].parse::<u32>().unwrap() > 1,
            }
        };
        let rows = self.table(
            "SELECT d.id, d.issue_id, d.address, d.state, i.number, i.sender_address,
                    coalesce(t.times, 0)
               FROM deliveries d JOIN issues i ON i.id = d.issue_id
               LEFT JOIN (SELECT delivery_id, count(*) AS times FROM attempts
                           WHERE outcome IN (1, 6) GROUP BY delivery_id) t
                      ON t.delivery_id = d.id
              ORDER BY d.id",
        );
        rows.into_iter().map(row).collect()
    }

    /// What makes and checks the tokens of this ledger.
    pub(crate) fn signer(&self) -> Signer {
        let key = bytes(&self.text("SELECT install_key FROM installation"));
        Signer::new(&key.try_into().unwrap())
    }

    /// This reader's delivery of the newest issue.
    #[track_caller]
    pub(crate) fn row_of(&self, address: &str) -> LedgerRow {
        let rows = self.rows();
        let found = rows.into_iter().rev().find(|row| row.recipient == address);
        found.unwrap_or_else(|| panic!("no delivery for {address} in {:?}", self.states()))
    }

    /// What tokens name this reader by.
    #[track_caller]
    pub(crate) fn subscriber_id(&self, address: &str) -> SubscriberId {
        let address = quoted(address);
        let id = format!("SELECT public_id FROM subscribers WHERE address = {address}");
        SubscriberId(bytes(&self.text(&id)).try_into().unwrap())
    }

    /// How many reports of what came back are on record.
    pub(crate) fn reports(&self) -> u32 {
        self.number("SELECT count(*) FROM reports")
    }

    /// Brings the states of rows that were read before up to date; a cheap
    /// [`Ledger::rows`] for an issue that is looked at a thousand times.
    pub(crate) fn refresh(&self, rows: &mut [LedgerRow]) {
        let states = self.table("SELECT id, state FROM deliveries ORDER BY id");
        assert_eq!(states.len(), rows.len(), "deliveries were added");
        for (row, now) in rows.iter_mut().zip(states) {
            assert_eq!(now[0], row.delivery_id.to_string());
            row.state = state(&now[1]);
        }
    }

    /// How many deliveries are in each state.
    pub(crate) fn states(&self) -> BTreeMap<&'static str, usize> {
        let rows = self.table("SELECT state, count(*) FROM deliveries GROUP BY state");
        rows.iter()
            .map(|row| (state(&row[0]), row[1].parse().unwrap()))
            .collect()
    }

    /// The delivery of every attempt with a number above `last`, with that number.
    pub(crate) fn attempts_after(&self, last: i64) -> Vec<(i64, i64)> {
        let select = format!("SELECT id, delivery_id FROM attempts WHERE id > {last} ORDER BY id");
        let rows = self.table(&select);
        rows.iter()
            .map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap()))
            .collect()
    }

    /// How many deliveries are in this state.
    pub(crate) fn count(&self, state: &str) -> usize {
        self.states().get(state).copied().unwrap_or(0)
    }

    /// The state of this reader's delivery of the newest issue.
    #[track_caller]
    pub(crate) fn state_of(&self, address: &str) -> String {
        let rows = self.rows();
        let found = rows.iter().rev().find(|row| row.recipient == address);
        found
            .unwrap_or_else(|| panic!("no delivery for {address} in {:?}", self.states()))
            .state
            .to_owned()
    }

    /// How many attempts were counted against this reader's deliveries.
    pub(crate) fn attempts_of(&self, address: &str) -> u32 {
        let address = quoted(address);
        self.number(&format!(
            "SELECT sum(attempts) FROM deliveries WHERE address = {address}"
        ))
    }

    /// Whether this address must never be written to again.
    pub(crate) fn is_suppressed(&self, address: &str) -> bool {
        let address = quoted(address);
        let found = self.number(&format!(
            "SELECT count(*) FROM subscribers s
               JOIN suppressions x ON x.address_hash = s.address_hash
              WHERE s.address = {address}"
        ));
        found > 0
    }

    /// How many addresses must never be written to again.
    pub(crate) fn suppressions(&self) -> u32 {
        self.number("SELECT count(*) FROM suppressions")
    }

    /// How many issues there are, cancelled ones included.
    pub(crate) fn issues(&self) -> u32 {
        self.number("SELECT count(*) FROM issues")
    }

    /// State of the newest issue.
    pub(crate) fn issue_state(&self) -> &'static str {
        ISSUE_STATES[self.number("SELECT state FROM issues ORDER BY id DESC LIMIT 1") as usize]
    }

    /// Asserts the sum rule (`candidates = Σ states + Σ exclusions`) of every
    /// issue, and that the kept tallies are the counted ones.
    #[track_caller]
    pub(crate) fn sums_hold(&self) -> &Self {
        let broken = self.table(
            "SELECT i.id, i.candidates, d.found, x.found
               FROM issues i,
                    (SELECT count(*) AS found, issue_id FROM deliveries GROUP BY issue_id) d,
                    (SELECT i.id AS issue_id, coalesce(sum(e.count), 0) AS found FROM issues i
                       LEFT JOIN exclusions e ON e.issue_id = i.id GROUP BY i.id) x
              WHERE d.issue_id = i.id AND x.issue_id = i.id
                AND i.candidates <> d.found + x.found",
        );
        let rule = "issue, candidates, deliveries, excluded: the sum rule is broken";
        assert!(broken.is_empty(), "{rule}: {broken:?}");
        let wrong = self.table(
            "SELECT t.issue_id, t.state, t.count, d.found
               FROM tallies t
               LEFT JOIN (SELECT issue_id, state, count(*) AS found FROM deliveries
                           GROUP BY issue_id, state) d
                      ON d.issue_id = t.issue_id AND d.state = t.state
              WHERE t.count <> coalesce(d.found, 0)",
        );
        let rule = "issue, state, tally, deliveries: they differ";
        assert!(wrong.is_empty(), "{rule}: {wrong:?}");
        self
    }

    /// What a statement answers that both engines understand.
    #[track_caller]
    pub(crate) fn table(&self, statement: &str) -> Vec<Vec<String>> {
        let file = match &self.0 {
            Engine::Server(database) => return database.rows(statement),
            Engine::File(file) => file,
        };
        let mut statement = file.prepare(statement).unwrap();
        let columns = statement.column_count();
        let read = |row: &Row<'_>| (0..columns).map(|at| Ok(text(row.get_ref(at)?))).collect();
        let rows = statement.query_map([], read).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[track_caller]
    fn text(&self, statement: &str) -> String {
        let mut rows = self.table(statement);
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "{statement}: {rows:?}"
        );
        rows.remove(0).remove(0)
    }

    #[track_caller]
    fn number(&self, statement: &str) -> u32 {
        self.text(statement).parse().unwrap()
    }
}

/// A value as PostgreSQL prints it.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("\\x{}", HEXLOWER.encode(bytes)),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("\\x").expect("bytes");
    HEXLOWER.decode(digits.as_bytes()).unwrap()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn state(number: &str) -> &'static str {
    STATES[number.parse::<usize>().unwrap()]
}
