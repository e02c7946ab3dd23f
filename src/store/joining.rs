//! Readers who are put on the list: many share their questions, as the answers
//! may come from far away.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use chrono::{DateTime, Utc};
use rusqlite::types::ToSql;

use crate::{
    domain::{
        consent::{Evidence, Happening},
        subscriber::{AddOutcome, NewSubscriber, Status},
    },
    store::{
        choices::{self, ChoiceId},
        codes, consent,
        error::Fault,
        opening,
        sql::{self, Connection},
        subscribers::{self, Known},
    },
};

/// So many readers share a statement.
const GROUP: usize = 100;

/// What the sources of files begin with.
const IMPORT: &str = "import ";

/// A reader who may be put on the list.
pub(super) struct Candidate<'r> {
    reader: &'r NewSubscriber,
    /// HMAC-SHA256 of the key.
    hash: [u8; 32],
    key: String,
    status: Status,
}

impl<'r> Candidate<'r> {
    pub(super) fn of(reader: &'r NewSubscriber, hash: [u8; 32]) -> Self {
        Self {
            reader,
            hash,
            key: reader.address.key(),
            // A list cannot erase anyone; what it can say is that they left.
            status: match reader.status {
                Status::Erased => Status::Unsubscribed,
                other => other,
            },
        }
    }
}

/// Adds readers, as if one after the other.
pub(super) fn add(
    connection: &Connection,
    install_key: &[u8; 32],
    readers: &[NewSubscriber],
    source: &str,
    now: DateTime<Utc>,
) -> Result<Vec<AddOutcome>, Fault> {
    let mut outcomes = Vec::with_capacity(readers.len());
    while let Some(rest) = readers
        .get(outcomes.len()..)
        .filter(|rest| !rest.is_empty())
    {
        let group = first_group(rest, install_key);
        outcomes.extend(add_group(connection, &group, source, now)?);
    }
    Ok(outcomes)
}

/// The next readers, until an address comes again: what becomes of its second
/// reader depends on the first.
fn first_group<'r>(readers: &'r [NewSubscriber], install_key: &[u8; 32]) -> Vec<Candidate<'r>> {
    let mut keys = HashSet::new();
    readers
        .iter()
        .take(GROUP)
        .map(|reader| Candidate::of(reader, subscribers::hash(install_key, &reader.address)))
        .take_while(|candidate| keys.insert(candidate.key.clone()))
        .collect()
}

fn add_group(
    connection: &Connection,
    group: &[Candidate<'_>],
    source: &str,
    now: DateTime<Utc>,
) -> Result<Vec<AddOutcome>, Fault> {
    let known = known(connection, group)?;
    let suppressed = suppressed(connection, group)?;
    let evidence = Evidence::of(source);
    let (mut outcomes, mut new) = (Vec::with_capacity(group.len()), Vec::new());
    for candidate in group {
        let (known, asked) = (known.get(&candidate.key), candidate.status);
        outcomes.push(match known {
            Some(known) if known.status.may_become(asked) => {
                let (happening, what) = lessening(asked, source);
                subscribers::set_status(connection, known.id, asked, now)?;
                consent::record(connection, known.id, happening, what, &evidence, now)?;
                AddOutcome::Lessened
            }
            _ if suppressed.contains(&candidate.hash) => AddOutcome::Suppressed,
            Some(known) if known.status == asked => AddOutcome::Unchanged,
            Some(known) => AddOutcome::Kept(known.status),
            None => {
                new.push(candidate);
                AddOutcome::Added
            }
        });
    }
    if !new.is_empty() {
        let ids = insert(connection, &new, source, now)?;
        let joined: Vec<_> = ids
            .into_iter()
            .zip(&new)
            .map(|(id, candidate)| (id, joining(source), added(candidate.status)))
            .collect();
        consent::record_all(connection, &joined, &evidence, now)?;
    }
    Ok(outcomes)
}

/// Those of a group who are on the list, by the key of their address.
fn known(
    connection: &Connection,
    group: &[Candidate<'_>],
) -> Result<HashMap<String, Known>, Fault> {
    let keys: Vec<&dyn ToSql> = group.iter().map(|one| &one.key as &dyn ToSql).collect();
    let mut select = connection.prepare_cached(&format!(
        "SELECT address_key, id, status FROM subscribers WHERE address_key IN {}",
        sql::places(&[&keys])
    ))?;
    let found = select.query_map(&keys[..], |row| {
        let (id, status) = (row.get(1)?, codes::status(row, 2)?);
        Ok((row.get(0)?, Known { id, status }))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The hashes of those of a group whom nobody may write to.
fn suppressed(
    connection: &Connection,
    group: &[Candidate<'_>],
) -> Result<HashSet<[u8; 32]>, Fault> {
    let hashes: Vec<&dyn ToSql> = group.iter().map(|one| &one.hash as &dyn ToSql).collect();
    let mut select = connection.prepare_cached(&format!(
        "SELECT address_hash FROM suppressions WHERE address_hash IN {}",
        sql::places(&[&hashes])
    ))?;
    let found = select.query_map(&hashes[..], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// What a new reader begins with.
struct Beginning<'r> {
    public_id: [u8; 16],
    address: &'r str,
    key: &'r str,
    hash: &'r [u8; 32],
    name: Option<&'r str>,
    status: i64,
    source: &'r str,
    now: i64,
    choice: ChoiceId,
}

impl Beginning<'_> {
    const COLUMNS: &'static str = "public_id, address, address_key, address_hash, name, status,
                                   source, created_at, changed_at, choice_id";

    fn values(&self) -> [&dyn ToSql; 10] {
        [
            &self.public_id,
            &self.address,
            &self.key,
            self.hash,
            &self.name,
            &self.status,
            &self.source,
            &self.now,
            &self.now,
            &self.choice,
        ]
    }
}

/// Puts readers on the list who are not there; gives their numbers, in order.
pub(super) fn insert(
    connection: &Connection,
    readers: &[&Candidate<'_>],
    source: &str,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, Fault> {
    let mut choices = HashMap::new();
    let mut rows = Vec::with_capacity(readers.len());
    for one in readers {
        let choice = match choices.entry(&one.reader.choice) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(choices::intern(connection, &one.reader.choice)?),
        };
        let mut public_id = [0; 16];
        opening::fill_random(&mut public_id)?;
        rows.push(Beginning {
            public_id,
            address: one.reader.address.expose(),
            key: &one.key,
            hash: &one.hash,
            name: one.reader.name.as_deref(),
            status: codes::of_status(one.status),
            source,
            now: now.timestamp(),
            choice,
        });
    }
    let rows: Vec<_> = rows.iter().map(Beginning::values).collect();
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO subscribers ({}) VALUES {} RETURNING address_key, id",
        Beginning::COLUMNS,
        sql::places(&rows)
    ))?;
    let made = insert.query_map(rows.as_flattened(), |row| Ok((row.get(0)?, row.get(1)?)))?;
    // In which order they are told is nowhere promised.
    let made: HashMap<String, i64> = made.collect::<Result<_, _>>()?;
    Ok(readers.iter().map(|one| made[&one.key]).collect())
}

fn joining(source: &str) -> Happening {
    match source.starts_with(IMPORT) {
        true => Happening::Imported,
        false => Happening::Added,
    }
}

/// What moved a reader toward less mail through a list.
fn lessening(to: Status, source: &str) -> (Happening, &'static str) {
    let happening = match to {
        Status::Active | Status::Pending => joining(source),
        Status::Bounced => Happening::Bounced,
        Status::Unsubscribed => Happening::Left,
        Status::Complained => Happening::Complained,
        Status::Erased => Happening::Erased,
    };
    (happening, to.as_str())
}

/// How a reader joined, in words.
fn added(status: Status) -> &'static str {
    match status {
        Status::Active => "added",
        Status::Pending => "added as pending",
        Status::Bounced => "added as bounced",
        Status::Unsubscribed | Status::Erased => "added as unsubscribed",
        Status::Complained => "added as complained",
    }
}
