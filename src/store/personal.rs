//! Everything that the ledger holds about one person, for that person.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    domain::{consent::Who, subscriber::Status},
    store::{
        DeliveryStory, Event, Suppression, error::Fault, reports, signups, sql::Connection,
        subscribers,
    },
};

/// What the ledger holds about one person.
#[derive(Debug, Clone, Serialize)]
pub struct PersonalData {
    /// The address.
    pub email: String,
    /// What they are called.
    pub name: Option<String>,
    /// Where they stand; `None` when they are not on the list.
    pub status: Option<Status>,
    /// Where they came from.
    pub source: Option<String>,
    /// When they were added.
    pub created: Option<DateTime<Utc>>,
    /// When the status last changed.
    pub changed: Option<DateTime<Utc>>,
    /// What they chose to get.
    pub choice: Option<String>,
    /// They asked for no issues before then.
    pub paused_until: Option<DateTime<Utc>>,
    /// That they must not be written to, if so.
    pub suppression: Option<Suppression>,
    /// The record of consent, oldest first.
    pub consent: Vec<Event>,
    /// What waits for their yes.
    pub waiting: Option<Waiting>,
    /// What was sent to them, newest issue first.
    pub deliveries: Vec<DeliveryStory>,
}

/// A request to join that waits for a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// For which digest.
    pub digest: String,
    /// The name that was typed.
    pub name: Option<String>,
    /// What they would get.
    pub choice: String,
    /// When it was asked.
    pub asked: DateTime<Utc>,
}

/// Gathers it.
pub(super) fn of(
    connection: &Connection,
    install_key: &[u8; 32],
    who: &Who,
) -> Result<Option<PersonalData>, Fault> {
    let found = subscribers::find_who(connection, who)?;
    let address = match (&found, who) {
        (Some((_, reader)), _) => reader.address.clone(),
        (None, Who::Address(address)) => address.clone(),
        (None, Who::Reader(_)) => return Ok(None),
    };
    let hash = subscribers::hash(install_key, &address);
    let suppression = reports::suppression(connection, &hash)?;
    let mut data = PersonalData {
        email: address.expose().to_owned(),
        name: None,
        status: None,
        source: None,
        created: None,
        changed: None,
        choice: None,
        paused_until: None,
        suppression,
        consent: Vec::new(),
        waiting: None,
        deliveries: Vec::new(),
    };
    let Some((id, reader)) = found else {
        return Ok(data.suppression.is_some().then_some(data));
    };
    data.choice = Some(reader.choice.in_words());
    data.status = Some(reader.status);
    data.name = reader.name;
    data.source = Some(reader.source);
    data.created = Some(reader.created);
    data.changed = Some(reader.changed);
    data.paused_until = reader.paused_until;
    data.consent = reports::events(connection, id)?;
    let waiting = signups::waiting(connection, id)?;
    data.waiting = waiting.map(|ask| Waiting {
        digest: ask.digest.to_string(),
        name: ask.name,
        choice: ask.choice.in_words(),
        asked: ask.asked,
    });
    data.deliveries = reports::deliveries(connection, id, None)?;
    Ok(Some(data))
}
