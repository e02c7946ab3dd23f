//! The slate of the drain that this connection serves, and that of one that died.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Session;
use crate::store::{
    deliveries::{self, Recovered},
    error::{Fault, StoreError},
    slate::{self, Left, Slate},
    sql::{Access, Connection},
};

impl Session {
    /// See [`crate::store::Store::recover`].
    pub(in crate::store) fn recover(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Recovered, StoreError> {
        let name = match self.connection {
            Connection::Sqlite(_) => self.transact(Access::Read, slate_of)?,
            Connection::Postgres(_) => None,
        };
        if let Some(own) = self.slate.take() {
            own.let_go();
        }
        let left = name.as_deref().and_then(Left::on);
        let mut recover = |left: Option<&Left>| {
            self.transact_own(|tx| {
                set_slate(tx, None)?;
                deliveries::recover(tx, left, now)
            })
        };
        let recovered = match recover(left.as_ref()) {
            // What the ledger cannot take must not keep everything else from it.
            Err(StoreError::Internal { .. }) if left.is_some() => recover(None),
            recovered => recovered,
        }?;
        if let (Some(name), Some(_)) = (name, left) {
            slate::remove(&name);
        }
        Ok(recovered)
    }

    /// See [`crate::store::Store::slate`].
    pub(in crate::store) fn begin_slate(
        &mut self,
        is_wanted: bool,
    ) -> Result<Option<Arc<Slate>>, StoreError> {
        if let Connection::Postgres(_) = self.connection {
            return Ok(None);
        }
        let slate = is_wanted.then(Slate::new).flatten();
        let begun = self.transact_own(|tx| {
            // It would tell of what is under way that it was never ended.
            let is_any_open = tx
                .prepare("SELECT 1 FROM deliveries INDEXED BY deliveries_inflight WHERE state = 2")?
                .exists([])?;
            let name = slate.as_ref().map(Slate::name).filter(|_| !is_any_open);
            set_slate(tx, name)?;
            Ok(name.is_some())
        });
        self.slate = match (slate, begun) {
            (Some(slate), Ok(true)) => Some(Arc::new(slate)),
            (slate, begun) => {
                if let Some(slate) = slate {
                    slate.forget();
                }
                begun?;
                None
            }
        };
        Ok(self.slate.clone())
    }

    /// An outcome will not be in the ledger, although intents may be that were asked
    /// for later: the slate cannot tell any more what was never ended.
    pub(in crate::store) fn spoil_slate(&self) {
        if let Some(slate) = &self.slate {
            // Where even that fails, sessions cannot write to it either, and end.
            drop(slate.spoil());
        }
    }
}

fn slate_of(connection: &Connection) -> Result<Option<String>, Fault> {
    Ok(connection.query_row("SELECT slate FROM installation", [], |row| row.get(0))?)
}

fn set_slate(connection: &Connection, name: Option<&str>) -> Result<(), Fault> {
    connection.execute(
        "UPDATE installation SET slate = ?1 WHERE slate IS DISTINCT FROM ?1",
        [name],
    )?;
    Ok(())
}
