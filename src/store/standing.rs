//! One token for everything that a build asks of the ledger: what articles are
//! called, what readers were shown, what stands in which output folder. Every
//! change of that makes another one, which nobody can foresee but who made it.

use sha2::{Digest, Sha256};

use crate::store::{
    error::Fault,
    sql::{Connection, OptionalExtension},
};

/// Whose changes they are: drawn by lot for each handle of the ledger.
pub(super) type Signature = [u8; 16];

/// No build changes the ledger more often.
const MOST_CHANGES: usize = 16;

/// What the ledger said of published things at one moment. While it is the
/// same, so is all of that, in a ledger restored from a backup as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing(String);

impl Standing {
    /// A token that was kept.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody changed something since the ledger was made.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    fn next(&self, by: &Signature) -> Self {
        let hash = Sha256::new().chain_update(&self.0).chain_update(by);
        Self(data_encoding::HEXLOWER.encode(&hash.finalize()[..16]))
    }

    /// Whether only changes with this signature lead from here to `later`.
    pub(super) fn leads_to(&self, later: &Self, by: &Signature) -> bool {
        std::iter::successors(Some(self.clone()), |one| Some(one.next(by)))
            .take(MOST_CHANGES)
            .any(|one| one == *later)
    }
}

/// The token of this moment.
pub(super) fn now(connection: &Connection) -> Result<Standing, Fault> {
    let token = connection
        .query_row("SELECT token FROM standing WHERE id = 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(Standing(token.unwrap_or_default()))
}

/// Notes a change.
pub(super) fn advance(connection: &Connection, by: &Signature) -> Result<(), Fault> {
    let next = now(connection)?.next(by);
    connection.execute(
        "INSERT INTO standing (id, token) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET token = excluded.token",
        [next.as_str()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_changes_lead_from_one_token_to_the_next() {
        let (mine, other) = ([1; 16], [2; 16]);
        let first = Standing::new(String::new());
        let mut last = first.clone();
        assert!(first.leads_to(&last, &mine));
        for _ in 0..5 {
            last = last.next(&mine);
            assert!(first.leads_to(&last, &mine));
            assert!(!first.leads_to(&last, &other) && !last.leads_to(&first, &mine));
        }
        let foreign = last.next(&other).next(&mine);
        assert!(!first.leads_to(&foreign, &mine));
    }
}
