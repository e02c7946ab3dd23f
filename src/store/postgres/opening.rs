//! Reaching a server, and what it has to promise before it holds a ledger.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Failure, LONGEST, Link, migrations, reaching};
use crate::{
    config::{
        secret,
        settings::{Durability, ServerSettings},
    },
    store::{Health, error::StoreError, opening::Access},
};

/// Others who write may have a list of millions in hand.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// Opens the ledger on a server; `None` when it is only to be read and is not
/// there.
pub(in crate::store) fn open(
    server: &ServerSettings,
    access: Access,
) -> Result<Option<Link>, StoreError> {
    let link = link(server)?;
    let is_strict = access == Access::ReadWrite && server.durability == Durability::Power;
    link.is_strict.set(is_strict);
    link.connect().map_err(|failure| failure.at(&link.name))?;
    let fresh =
        migrations::bring_up(&link, access).map_err(|fault| fault.at(link.name().into()))?;
    Ok((!fresh).then_some(link))
}

pub(super) fn link(server: &ServerSettings) -> Result<Link, StoreError> {
    let unfit = |reason: String| StoreError::Unfit {
        path: server.name.clone().into(),
        reason,
    };
    let mut config: Config = server
        .url
        .expose_secret()
        .parse()
        .map_err(|error: tokio_postgres::Error| unfit(error.to_string()))?;
    let password = secret::store_password(server.password_file.as_deref())
        .map_err(|error| unfit(error.to_string()))?;
    if let Some(password) = &password {
        config.password(password.expose_secret());
    }
    let places = reaching::places(&config);
    if places.is_empty() {
        return Err(unfit("`store.url` names no host".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::system(server.name.clone().into(), error))?;
    Ok(Link {
        runtime,
        places,
        place: Cell::new(0),
        tls: MakeRustlsConnect::new(tls().map_err(|error| unfit(error.to_string()))?),
        name: server.name.clone(),
        lease: server.lease,
        client: RefCell::new(None),
        patience: Cell::new(server.patience),
        lock_patience: Cell::new(LOCK_PATIENCE),
        longest: Cell::new(LONGEST),
        bound: Cell::new(None),
        transaction: RefCell::new(None),
        history: RefCell::new(None),
        incarnation: RefCell::default(),
        tried: RefCell::default(),
        newest: Arc::default(),
        is_strict: Cell::new(false),
        recent: RefCell::default(),
        asserted: Arc::default(),
        health: watch::Sender::new(Health::Well),
        worker: Cell::new(0),
        away_since: Cell::new(None),
        hurry: Arc::default(),
    })
}

/// The certificates that this machine trusts.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Ok(ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A commit has to be on stable storage when it is answered: an intent that is
/// lost is a message that is sent twice. What these settings of a server do not
/// promise.
pub(super) fn judge(synchronous_commit: &str, fsync: &str) -> Result<(), Failure> {
    let reason = match (synchronous_commit, fsync) {
        ("off", _) => {
            "synchronous_commit is off there, so commits can be lost that were answered; set it to \
             `on` for this role (ALTER ROLE … SET synchronous_commit = on), or accept that with \
             `store.durability = \"process\"`"
        }
        (_, "off") => {
            "fsync is off there, so a power cut can lose commits or the whole database; set \
             `fsync = on` in postgresql.conf, or accept that with `store.durability = \"process\"`"
        }
        _ => return Ok(()),
    };
    Err(Failure::Unfit(reason.to_owned()))
}
