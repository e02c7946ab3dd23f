//! The ledger in PostgreSQL: what is peculiar to it is here. One session, which
//! is made anew when the server comes back, and of which nothing is expected
//! from one transaction to the next: a pooler may stand in between.

mod bulk;
pub(in crate::store) mod claims;
mod failure;
mod group;
mod identity;
pub(in crate::store) mod lease;
mod migrations;
mod opening;
pub(in crate::store) mod paces;
mod reaching;
mod recent;
mod upkeep;
mod values;
mod words;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64},
    },
    time::{Duration, Instant},
};

use rusqlite::types::{ToSql, Value};
use tokio::{runtime::Runtime, sync::watch};
use tokio_postgres::{
    Client, Config, SimpleQueryMessage, SimpleQueryRow,
    types::{ToSql as PostgresValue, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(in crate::store) use self::{
    bulk::{count_on, empty, insert, look_at_sizes, workers},
    failure::Failure,
    group::group,
    identity::identity,
    opening::open,
    recent::{assert_again, attempts_of},
    upkeep::{facts, glance, integrity, wipe},
};
use self::{recent::Recent, values::Found};
use crate::{
    domain::delivery::{AttemptId, DeliveryId},
    store::{
        Health,
        sql::{self, Access},
    },
};

/// Key of the lock that those share who write more than their own deliveries:
/// they come one after the other, as with SQLite. It ends with the transaction,
/// so that it works behind poolers.
const WRITERS: i64 = 0x4C50_5253;

/// A statement that is not answered for so long never is.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The same for what is asked with every message.
const LONGEST_OWN: Duration = Duration::from_secs(30);

/// The same for what a server answers at once if it answers at all.
const PROMPT: Duration = Duration::from_secs(10);

/// The first and the longest pause between two tries to reach the server.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What became of a transaction whose end was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Fate {
    /// It is on stable storage.
    Committed,
    /// It never was.
    Undone,
}

/// A session with the server.
pub(in crate::store) struct Link {
    runtime: Runtime,
    /// The servers that are named, one each, and which of them was reached last.
    places: Vec<Config>,
    place: Cell<usize>,
    tls: MakeRustlsConnect,
    name: String,
    client: RefCell<Option<Arc<Client>>>,
    /// How long to wait for a server that is away.
    patience: Cell<Duration>,
    /// How long to wait for others who write.
    lock_patience: Cell<Duration>,
    /// How long an answer may take.
    longest: Cell<Duration>,
    /// The same for all answers of a transaction, and when its beginning must have
    /// been answered, for who must not wait for long.
    bound: Cell<Option<(Duration, Instant)>>,
    /// The transaction that is open, as the server numbers it, and the history
    /// of the server that the number belongs to.
    transaction: RefCell<Option<(String, String)>>,
    /// The history that the last transaction of ours belonged to.
    history: RefCell<Option<String>>,
    /// Since when the server that was reached last has been there.
    incarnation: RefCell<String>,
    /// The newest timeline that was seen; 0 for none.
    newest: Arc<AtomicU32>,
    /// Whether every server must promise that what it commits stays.
    is_strict: Cell<bool>,
    /// Intents of a transaction whose end is not known.
    tried: RefCell<HashMap<DeliveryId, AttemptId>>,
    /// What was attempted of late: see [`recent`].
    recent: RefCell<Recent>,
    /// How many attempts were asserted again, to be told.
    asserted: Arc<AtomicU64>,
    health: watch::Sender<Health>,
    /// Since when the server is away: it is waited for once, not by everyone who
    /// asks.
    away_since: Cell<Option<Instant>>,
    /// Nobody waits for it any more.
    hurry: Arc<AtomicBool>,
    /// How long what a worker claims stays its own.
    lease: Duration,
    /// Who delivers here, as the ledger numbers workers; 0 for nobody.
    worker: Cell<i64>,
}

impl Link {
    /// The server as people are told of it: without a login.
    pub(in crate::store) fn name(&self) -> &str {
        &self.name
    }

    /// How it stands with the server, from now on.
    pub(in crate::store) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// How long what a worker claims stays its own.
    pub(in crate::store) fn lease(&self) -> Duration {
        self.lease
    }

    /// Set once nobody is to wait for a server that is away.
    pub(in crate::store) fn hurry(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hurry)
    }

    /// The newest timeline that was seen, to be shared by the sessions of a process.
    fn newest(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.newest)
    }

    /// Says who delivers here.
    pub(in crate::store) fn set_worker(&self, worker: i64) {
        self.worker.set(worker);
    }

    /// Who delivers here; 0 for nobody.
    pub(in crate::store) fn worker(&self) -> i64 {
        self.worker.get()
    }

    /// How many attempts were asserted again since this was last set to 0.
    pub(in crate::store) fn asserted(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.asserted)
    }

    /// Whether another server has taken over since our last transaction.
    fn has_new_history(&self) -> bool {
        let open = self.transaction.borrow();
        let Some((_, now)) = open.as_ref() else {
            return false;
        };
        let mut known = self.history.borrow_mut();
        known.get_or_insert_with(|| now.clone()) != now
    }

    /// What this server did not know was told to it.
    fn accept_history(&self, history: &str) {
        *self.history.borrow_mut() = Some(history.to_owned());
    }

    /// Sets how long to wait for others and for the server; gives what held before.
    pub(in crate::store) fn set_patience(
        &self,
        (locks, server): (Duration, Duration),
    ) -> (Duration, Duration) {
        (
            self.lock_patience.replace(locks),
            self.patience.replace(server),
        )
    }

    /// Begins a transaction, once the server can be reached.
    pub(in crate::store) fn begin(&self, access: Access) -> Result<(), Failure> {
        let patience = self.lock_patience.get();
        let writers = format!("SELECT pg_advisory_xact_lock({WRITERS});");
        let sql = match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            Access::Write => writing(patience, &writers),
        };
        self.begin_as(&sql, patience + PROMPT, LONGEST)
    }

    /// Begins a transaction about deliveries that are this worker's own. Beside
    /// those who write it is the first to step back: it is quickly done again.
    pub(in crate::store) fn begin_own(&self) -> Result<(), Failure> {
        self.begin_as(
            &writing(Duration::from_millis(500), ""),
            PROMPT,
            LONGEST_OWN,
        )
    }

    /// Begins a transaction, for which `first` is enough, and in which no answer is
    /// waited for longer than `longest`.
    fn begin_as(&self, sql: &str, first: Duration, longest: Duration) -> Result<(), Failure> {
        let mut pause = PAUSES.0;
        loop {
            match self.asking(first.min(self.time_left()), || self.begin_once(sql)) {
                Ok(open) => {
                    *self.transaction.borrow_mut() = open;
                    let bound = self.bound.get().map_or(longest, |(bound, _)| bound);
                    self.longest.set(longest.min(bound));
                    self.tell(Health::Well);
                    return Ok(());
                }
                Err(failure) => {
                    self.undo();
                    if matches!(failure, Failure::LeftBehind) {
                        // A pooler may have led there, and leads elsewhere next time.
                        self.hang_up();
                    }
                    if !failure.is_away() || !self.waits(&failure, pause) {
                        return Err(failure);
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Begins a transaction; gives its number and the history that belongs to.
    fn begin_once(&self, sql: &str) -> Result<Option<(String, String)>, Failure> {
        self.connect()?;
        let open = self.simple(sql)?.into_iter().next_back();
        if let Some((_, history)) = &open {
            self.follow(history)?;
        }
        Ok(open)
    }

    /// Ends a transaction. Where its end is not answered, the server is asked
    /// again what became of it.
    pub(in crate::store) fn commit(&self) -> Result<Fate, Failure> {
        let open = self.transaction.borrow_mut().take();
        let begun_in = self.incarnation.borrow().clone();
        let told = self.simple("COMMIT");
        self.longest.set(LONGEST);
        let fate = match told {
            Ok(_) => Fate::Committed,
            Err(failure) if failure.is_away() => match open {
                Some(open) => self.fate(&open, &begun_in)?,
                // It only read.
                None => return Err(failure),
            },
            Err(failure) => {
                self.undo();
                return Err(failure);
            }
        };
        if fate == Fate::Committed {
            self.tried.borrow_mut().clear();
        }
        Ok(fate)
    }

    /// Takes back what was done since the beginning.
    pub(in crate::store) fn undo(&self) {
        self.transaction.borrow_mut().take();
        self.longest.set(LONGEST);
        let is_over = || self.asking(PROMPT, || self.simple("ROLLBACK")).is_ok();
        if self.client().is_ok() && !is_over() {
            self.hang_up();
        }
    }

    /// What became of a transaction. After a crash of the server its number says
    /// nothing: one of which nothing was on stable storage is given out again. When it
    /// is done anew, what was committed after all is found there.
    fn fate(&self, (number, history): &(String, String), begun_in: &str) -> Result<Fate, Failure> {
        let ask = format!(
            "SELECT coalesce(pg_xact_status('{number}'::xid8), 'aborted'),
                    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
        );
        loop {
            // Its session may not have heard yet that nobody listens.
            std::thread::sleep(PAUSES.0);
            let told = self.asking(PROMPT, || self.connect().and_then(|()| self.simple(&ask)));
            let told = told.and_then(|rows| {
                let history = rows.first().map_or("", |(_, history)| history);
                self.follow(history).inspect_err(|_| self.hang_up())?;
                Ok(rows)
            });
            match told {
                Ok(_) if *self.incarnation.borrow() != *begun_in => return Ok(Fate::Undone),
                Ok(rows) => match rows.first() {
                    // Another server took over: what it does not know of is undone,
                    // and numbers mean something else there.
                    Some((_, now)) if now != history => return Ok(Fate::Undone),
                    Some((status, _)) if status == "committed" => return Ok(Fate::Committed),
                    Some((status, _)) if status == "aborted" => return Ok(Fate::Undone),
                    // Its session still believes that we are there.
                    _ if self.waits(&Failure::Silent, PAUSES.0) => {}
                    _ => return Err(Failure::Silent),
                },
                Err(failure) if !failure.is_away() => return Err(failure),
                Err(failure) if !self.waits(&failure, PAUSES.0) => return Err(Failure::Silent),
                Err(_) => {}
            }
        }
    }

    /// A statement in PostgreSQL's words.
    pub(in crate::store) fn words(&self, sql: &str) -> String {
        words::of(sql)
    }

    /// Runs a statement; says how many rows it changed.
    pub(in crate::store) fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> sql::Result<usize> {
        let given = values::given(values)?;
        let client = self.client()?;
        let changed = self.wait(client.execute_typed(sql, &values::typed(&given)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Runs a statement; gives the rows it finds.
    pub(in crate::store) fn query(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
    ) -> sql::Result<Vec<Vec<Value>>> {
        let given = values::given(values)?;
        Ok(self.query_given(sql, &values::typed(&given))?)
    }

    /// As [`Link::query`], with values as PostgreSQL has them: lists, too.
    pub(in crate::store) fn query_given(
        &self,
        sql: &str,
        values: &[(&(dyn PostgresValue + Sync), Type)],
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let client = self.client()?;
        let rows = self.wait(client.query_typed(sql, values))?;
        let cells = |row: &tokio_postgres::Row| {
            let cells = (0..row.len()).map(|column| row.try_get(column).map(|Found(value)| value));
            cells.collect::<Result<Vec<Value>, _>>()
        };
        Ok(rows.iter().map(cells).collect::<Result<_, _>>()?)
    }

    /// Runs statements without parameters.
    pub(in crate::store) fn batch(&self, sql: &str) -> Result<(), Failure> {
        let client = self.client()?;
        self.wait(client.batch_execute(sql))
    }

    /// Runs statements without parameters; gives the first two columns of what
    /// they find.
    fn simple(&self, sql: &str) -> Result<Vec<(String, String)>, Failure> {
        let client = self.client()?;
        let messages = self.wait(client.simple_query(sql))?;
        let text = |row: &SimpleQueryRow, column| {
            let value = (column < row.len()).then(|| row.get(column)).flatten();
            value.unwrap_or_default().to_owned()
        };
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((text(row, 0), text(row, 1))),
            _ => None,
        });
        Ok(rows.collect())
    }
}

/// What begins a transaction that writes, with its number and history.
fn writing(lock_patience: Duration, lock: &str) -> String {
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
         SET LOCAL lock_timeout = {};
         SET LOCAL idle_in_transaction_session_timeout = 120000;
         {lock}
         SELECT pg_current_xact_id()::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
        lock_patience.as_millis().max(1)
    )
}
