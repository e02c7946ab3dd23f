//! Transactions on either engine.

use std::time::{Duration, Instant};

use rusqlite::{Transaction, TransactionBehavior};

use super::Session;
use crate::store::{
    beside::leaving::Taken,
    error::{Fault, StoreError},
    postgres::{self, Failure, Fate, Link},
    sql::{self, Access, Connection},
};

/// A transaction that others come in between is tried anew for so long.
const TRIED_FOR: Duration = Duration::from_secs(60);

/// What a transaction is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    /// Anything: one such transaction at a time.
    Write,
    /// Deliveries that nobody else has a hand in.
    Own,
    /// Anything, in a database that is not the ledger, or not yet.
    Apart,
}

impl Session {
    /// Runs `work` in one transaction; an error undoes it.
    pub(in crate::store) fn transact<T>(
        &mut self,
        access: Access,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.transact_unless(false, access, work)
    }

    /// Runs `work` in one transaction; an error or a dry run undoes it. It may
    /// be run again where others came in between.
    pub(in crate::store) fn transact_unless<T>(
        &mut self,
        is_dry_run: bool,
        access: Access,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let kind = match access {
            Access::Read => Kind::Read,
            Access::Write => Kind::Write,
        };
        self.do_transact(kind, is_dry_run, work)
    }

    /// Runs `work`, which is about deliveries that are this process's own, in one
    /// transaction.
    pub(in crate::store) fn transact_own<T>(
        &mut self,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.do_transact(Kind::Own, false, work)
    }

    /// Runs `work` in one transaction of a database that is not the ledger, or not
    /// yet: who left beside it is not taken off a list that is not there.
    pub(in crate::store) fn transact_apart<T>(
        &mut self,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.do_transact(Kind::Apart, false, work)
    }

    fn do_transact<T>(
        &mut self,
        kind: Kind,
        is_dry_run: bool,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let done = match &self.connection {
            Connection::Sqlite(file) => self.transact_in_file(file, kind, is_dry_run, work),
            Connection::Postgres(link) => self.transact_on_server(link, kind, is_dry_run, work),
        };
        done.map_err(|fault| self.told(fault))
    }

    fn transact_in_file<T>(
        &self,
        file: &rusqlite::Connection,
        kind: Kind,
        is_dry_run: bool,
        mut work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let behavior = match kind {
            Kind::Read => TransactionBehavior::Deferred,
            Kind::Write | Kind::Own | Kind::Apart => TransactionBehavior::Immediate,
        };
        let transaction = Transaction::new_unchecked(file, behavior)?;
        let taken = self.take_up(kind)?;
        let done = work(&self.connection)?;
        if is_dry_run {
            transaction.rollback()?;
            return Ok(done);
        }
        transaction.commit()?;
        forget(taken);
        Ok(done)
    }

    fn transact_on_server<T>(
        &self,
        link: &Link,
        kind: Kind,
        is_dry_run: bool,
        mut work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let until = Instant::now() + TRIED_FOR;
        let may_try = |failure: &Failure| {
            failure.is_worth_another_try(kind == Kind::Own) && Instant::now() < until
        };
        loop {
            match kind {
                Kind::Read => link.begin(Access::Read)?,
                Kind::Write | Kind::Apart => link.begin(Access::Write)?,
                Kind::Own => link.begin_own()?,
            }
            let done = match postgres::assert_again(&self.connection, link) {
                Ok(true) => continue,
                Ok(false) => self
                    .take_up(kind)
                    .and_then(|taken| Ok((work(&self.connection)?, taken))),
                Err(fault) => Err(fault),
            };
            match done {
                Ok((done, _)) if is_dry_run => {
                    link.undo();
                    return Ok(done);
                }
                Ok((done, taken)) => match link.commit() {
                    Ok(Fate::Committed) => {
                        forget(taken);
                        return Ok(done);
                    }
                    Ok(Fate::Undone) if Instant::now() < until => {}
                    Ok(Fate::Undone) => return Err(Failure::Closed.into()),
                    Err(failure) if may_try(&failure) => {}
                    Err(failure) => return Err(failure.into()),
                },
                Err(Fault::Database(sql::Error::Postgres(failure))) if may_try(&failure) => {
                    link.undo();
                }
                Err(fault) => {
                    link.undo();
                    return Err(fault);
                }
            }
        }
    }

    /// Whoever left beside the database has left before anything else is done.
    fn take_up(&self, kind: Kind) -> Result<Option<Taken>, Fault> {
        match kind {
            Kind::Read | Kind::Apart => Ok(None),
            Kind::Write | Kind::Own => self.leaving.take_up(&self.connection),
        }
    }
}

fn forget(taken: Option<Taken>) {
    if let Some(taken) = taken {
        // What is taken up again changes nothing.
        drop(taken.forget());
    }
}
