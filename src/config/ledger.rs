//! `[store]`: the ledger in a file, or on a server.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use toml::Spanned;
use url::Url;

use super::{
    findings::Findings,
    raw::RawStore,
    settings::{Durability, Engine, ServerSettings, StoreSettings},
    without_login,
};

/// What the files are named after that a ledger on a server has on each machine.
const BESIDE: &str = "letterpress.postgres";

/// What keeps a worker's claims its own when it says nothing for so long.
const LEASE: Duration = Duration::from_secs(90);
/// The shortest lease that a hiccup of the network does not end.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);
/// A restart of the server takes less.
const PATIENCE: Duration = Duration::from_secs(300);

/// Reads the section.
pub(super) fn store(raw: &RawStore, root: &Path, findings: &mut Findings) -> Option<StoreSettings> {
    let durability = durability(raw, findings)?;
    let url = raw
        .url
        .as_ref()
        .map_or("sqlite:letterpress.db", |text| text.get_ref().as_str());
    let (engine, path) = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let server = server(raw, url, root, durability, findings)?;
        (Engine::Postgres(server), root.join(BESIDE))
    } else if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
        (Engine::Sqlite, root.join(path))
    } else {
        findings.at(
            raw.url.as_ref(),
            format!("store.url is `{}`", without_login(url)),
            "use a file, `sqlite:letterpress.db`, or a server, `postgres://user@host/database`",
        );
        return None;
    };
    Some(StoreSettings {
        engine,
        path,
        durability,
        allow_network_file_system: raw.allow_network_file_system,
    })
}

/// Reads the section with another URL; `None` for what is none.
pub(super) fn at(raw: &RawStore, url: &str, root: &Path) -> Option<StoreSettings> {
    let raw = RawStore {
        url: Some(Spanned::new(0..0, url.to_owned())),
        ..raw.clone()
    };
    store(&raw, root, &mut Findings::new(PathBuf::new(), ""))
}

fn durability(raw: &RawStore, findings: &mut Findings) -> Option<Durability> {
    match raw.durability.as_ref().map(|text| text.get_ref().as_str()) {
        None | Some("power") => Some(Durability::Power),
        Some("process") => Some(Durability::Process),
        Some(other) => {
            let what = format!("store.durability is `{other}`");
            findings.at(
                raw.durability.as_ref(),
                what,
                "use \"power\" or \"process\"",
            );
            None
        }
    }
}

fn server(
    raw: &RawStore,
    url: &str,
    root: &Path,
    durability: Durability,
    findings: &mut Findings,
) -> Option<ServerSettings> {
    let lease = findings.span(raw.lease.as_ref(), "store.lease", LEASE)?;
    if lease < SHORTEST_LEASE {
        findings.at(
            raw.lease.as_ref(),
            format!("store.lease is {}", humantime::format_duration(lease)),
            "use 3 seconds or more: a hiccup of the network would end it",
        );
        return None;
    }
    let patience = findings.span(raw.patience.as_ref(), "store.patience", PATIENCE)?;
    Some(ServerSettings {
        url: SecretString::from(url),
        name: name(url),
        password_file: raw.password_file.as_ref().map(|file| root.join(file)),
        durability,
        patience,
        lease,
    })
}

/// The server and its database, without a login and without options.
fn name(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return without_login(url);
    };
    // Only what has no host cannot be without a login; it has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_login() {
        assert_eq!(
            name("postgres://anna:secret@db.example.org:5433/letters?sslmode=require"),
            "postgres://db.example.org:5433/letters"
        );
        assert_eq!(without_login("mysql://anna:secret@db/x"), "mysql://…@db/x");
    }
}
