//! The ledger read from its file by statements of the harness's own, so that a
//! test does not ask the program whether the program kept its promise.

use std::collections::BTreeMap;
use std::path::Path;

use letterpress::domain::subscriber::SubscriberId;
use letterpress::links::Signer;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use crate::harness::oracle::LedgerRow;

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
pub(crate) struct Ledger(Connection);

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
        Self(connection)
    }

    /// Whether the file holds a ledger already.
    pub(crate) fn is_made(&self) -> bool {
        self.number(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'deliveries' AND ?1 = ''",
            "",
        ) > 0
    }

    /// Every delivery of every issue. Whoever looks at them also holds them
    /// against the sum rule.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<LedgerRow> {
        self.sums_hold();
        let signer = self.signer();
        let mut statement = self
            .0
            .prepare(
                "SELECT d.id, d.issue_id, d.address, d.state, i.number, i.sender_address,
                        ifnull(t.count, 0)
                   FROM deliveries d JOIN issues i ON i.id = d.issue_id
                   LEFT JOIN (SELECT delivery_id, count(*) count FROM attempts
                               WHERE outcome IN (1, 6) GROUP BY delivery_id) t
                          ON t.delivery_id = d.id
                  ORDER BY d.id",
            )
            .unwrap();
        statement
            .query_map([], |row| {
                let (delivery_id, issue_id) = (row.get(0)?, row.get(1)?);
                let sender: String = row.get(5)?;
                let domain = sender.rsplit('@').next().unwrap_or_default();
                let message_id = signer.message_id(issue_id, delivery_id, row.get(4)?, domain);
                Ok(LedgerRow {
                    delivery_id,
                    issue_id,
                    recipient: row.get(2)?,
                    message_id: message_id.trim_matches(['<', '>']).to_owned(),
                    state: STATES[usize::from(row.get::<_, u16>(3)?)],
                    duplicate: row.get::<_, u32>(6)? > 1,
                })
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// What makes and checks the tokens of this ledger.
    pub(crate) fn signer(&self) -> Signer {
        let key: [u8; 32] = self
            .0
            .query_row("SELECT install_key FROM installation", [], |row| row.get(0))
            .unwrap();
        Signer::new(&key)
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
        let select = "SELECT public_id FROM subscribers WHERE address = ?1";
        let id = self.0.query_row(select, [address], |row| row.get(0));
        SubscriberId(id.unwrap())
    }

    /// How many reports of what came back are on record.
    pub(crate) fn reports(&self) -> u32 {
        self.number("SELECT count(*) FROM reports WHERE ?1 = ''", "")
    }

    /// Brings the states of rows that were read before up to date; a cheap
    /// [`Ledger::rows`] for an issue that is looked at a thousand times.
    pub(crate) fn refresh(&self, rows: &mut [LedgerRow]) {
        let mut statement = self
            .0
            .prepare("SELECT id, state FROM deliveries ORDER BY id")
            .unwrap();
        let mut states = statement.query([]).unwrap();
        for row in rows {
            let now = states.next().unwrap().unwrap();
            assert_eq!(now.get::<_, i64>(0).unwrap(), row.delivery_id);
            row.state = STATES[usize::from(now.get::<_, u16>(1).unwrap())];
        }
        assert!(states.next().unwrap().is_none(), "deliveries were added");
    }

    /// How many deliveries are in each state.
    pub(crate) fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut statement = self
            .0
            .prepare("SELECT state, count(*) FROM deliveries GROUP BY state")
            .unwrap();
        statement
            .query_map([], |row| {
                let state = STATES[usize::from(row.get::<_, u16>(0)?)];
                Ok((state, row.get::<_, u32>(1)? as usize))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// The delivery of every attempt with a number above `last`, with that number.
    pub(crate) fn attempts_after(&self, last: i64) -> Vec<(i64, i64)> {
        let mut statement = self
            .0
            .prepare("SELECT id, delivery_id FROM attempts WHERE id > ?1 ORDER BY id")
            .unwrap();
        statement
            .query_map([last], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
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
        self.number(
            "SELECT sum(attempts) FROM deliveries WHERE address = ?1",
            address,
        )
    }

    /// Whether this address must never be written to again.
    pub(crate) fn is_suppressed(&self, address: &str) -> bool {
        let found = self.number(
            "SELECT count(*) FROM subscribers s
               JOIN suppressions x ON x.address_hash = s.address_hash WHERE s.address = ?1",
            address,
        );
        found > 0
    }

    /// How many addresses must never be written to again.
    pub(crate) fn suppressions(&self) -> u32 {
        self.number("SELECT count(*) FROM suppressions WHERE ?1 = ''", "")
    }

    /// How many issues there are, cancelled ones included.
    pub(crate) fn issues(&self) -> u32 {
        self.number("SELECT count(*) FROM issues WHERE ?1 = ''", "")
    }

    /// State of the newest issue.
    pub(crate) fn issue_state(&self) -> &'static str {
        let statement = "SELECT state FROM issues WHERE ?1 = '' ORDER BY id DESC LIMIT 1";
        ISSUE_STATES[self.number(statement, "") as usize]
    }

    /// Asserts the sum rule (`candidates = Σ states + Σ exclusions`) of every
    /// issue, and that the kept tallies are the counted ones.
    #[track_caller]
    pub(crate) fn sums_hold(&self) -> &Self {
        let broken: Vec<String> = self.texts(
            "SELECT printf('issue %d: %d candidates, %d deliveries, %d excluded', i.id,
                           i.candidates, d.count, x.count)
               FROM issues i,
                    (SELECT count(*) count, issue_id FROM deliveries GROUP BY issue_id) d,
                    (SELECT i.id issue_id, ifnull(sum(e.count), 0) count FROM issues i
                       LEFT JOIN exclusions e ON e.issue_id = i.id GROUP BY i.id) x
              WHERE d.issue_id = i.id AND x.issue_id = i.id
                AND i.candidates <> d.count + x.count",
        );
        assert_eq!(broken, [""; 0], "the sum rule is broken");
        let wrong: Vec<String> = self.texts(
            "SELECT printf('issue %d, state %d: tally %d', t.issue_id, t.state, t.count)
               FROM tallies t
               LEFT JOIN (SELECT issue_id, state, count(*) count FROM deliveries
                           GROUP BY issue_id, state) d
                      ON d.issue_id = t.issue_id AND d.state = t.state
              WHERE t.count <> ifnull(d.count, 0)",
        );
        assert_eq!(wrong, [""; 0], "tallies and deliveries differ");
        self
    }

    fn texts(&self, statement: &str) -> Vec<String> {
        let mut statement = self.0.prepare(statement).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn number(&self, statement: &str, text: &str) -> u32 {
        self.0
            .query_row(statement, params![text], |row| row.get(0))
            .unwrap()
    }
}
