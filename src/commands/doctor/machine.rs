//! This machine: the ledger, its copy, and the room for both; the server where it is
//! on one.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    commands::exit::Failure,
    config::{Config, settings::Engine},
    doctor::{Finding, Topic},
    store::{ServerFacts, Store, Surroundings},
};

/// Whoever has no copy younger than this loses more than a week's readers.
const OLD: TimeDelta = TimeDelta::days(7);
/// A server with fewer sessions left turns the next workers away.
const FEW_SESSIONS: i64 = 5;

/// Less than this is an error: not even one issue may fit.
const TOO_LITTLE: u64 = 50_000_000;
/// Less than this is a warning.
const LITTLE: u64 = 500_000_000;

pub(super) async fn ledger(config: &Config, store: Option<&Store>) -> Vec<Finding> {
    let Some(store) = store else {
        let name = config.store.name();
        let what = format!("there is none yet at {name}: the first run makes it");
        return vec![Finding::ok(Topic::Ledger, what)];
    };
    let mut all = whole(config, store).await;
    // Where that fails the rest has failed before.
    if let Ok(Some(facts)) = store.server_facts().await {
        all.extend(server(store.name(), &facts));
    }
    all
}

async fn whole(config: &Config, store: &Store) -> Vec<Finding> {
    match store.verify().await {
        Ok(found) if found.is_empty() => {
            let what = format!("{} is whole, and its sums hold", config.store.name());
            vec![Finding::ok(Topic::Ledger, what)]
        }
        Ok(found) => {
            let remedy = "docs/delivery.md says what to do; send nothing before it is mended";
            let found = found.into_iter();
            found
                .map(|what| Finding::error(Topic::Ledger, what, remedy))
                .collect()
        }
        Err(error) => vec![Finding::error(
            Topic::Ledger,
            error.to_string(),
            "`letterpress store verify` says more",
        )],
    }
}

/// It cannot even be opened.
pub(super) fn unusable(failure: &Failure) -> Finding {
    let problem = failure.problem("letterpress.db".as_ref());
    Finding::error(Topic::Ledger, problem.what, problem.remedy)
}

/// What a server promises, and how many more it lets in.
fn server(name: &str, facts: &ServerFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, is_on) in [
        ("synchronous_commit", facts.is_synchronous),
        ("fsync", facts.has_fsync),
    ] {
        if !is_on {
            found.push(Finding::warning(
                Topic::Ledger,
                format!("{key} is off at {name}: a power cut can lose what was answered"),
                format!("set `{key} = on` there; until then somebody may get a message twice"),
            ));
        }
    }
    let (free, most) = (facts.free_sessions, facts.most_sessions);
    let what = format!("{name} has {free} of {most} sessions free");
    found.push(match free < FEW_SESSIONS {
        true => Finding::warning(
            Topic::Ledger,
            what,
            "raise `max_connections` there, put a pooler before it, or run fewer workers",
        ),
        false => Finding::ok(Topic::Ledger, what),
    });
    found
}

/// The files beside the ledger, and the disk under all of them.
pub(super) fn around(
    config: &Config,
    store: Option<&Option<Store>>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut found = disk(config);
    let is_there = store.is_some_and(Option::is_some);
    if !is_there || !matches!(config.store.engine, Engine::Sqlite) {
        return found;
    }
    let around = Surroundings::of(&config.store);
    found.push(copy(&around, now));
    found.extend(around.network.map(|kind| {
        Finding::warning(
            Topic::Disk,
            format!(
                "the ledger is on a network file system ({kind}): locks are not reliable there"
            ),
            "put it on a disk of this machine, or on a PostgreSQL server (docs/scale.md)",
        )
    }));
    if around.is_in_use && !around.has_ballast {
        found.push(Finding::warning(
            Topic::Disk,
            "no room is set aside beside the ledger for the last outcomes on a full disk",
            "make room; the next run sets it aside where there is plenty (docs/delivery.md)",
        ));
    }
    found
}

/// How old the newest copy is.
fn copy(around: &Surroundings, now: DateTime<Utc>) -> Finding {
    let remedy = "`letterpress store backup /another/disk/letterpress.db` makes one, also while a \
                  run sends: have a timer do it every day";
    let Some(at) = around.backed_up else {
        let what = "nobody has made a copy of the ledger with `store backup`";
        return Finding::warning(Topic::Backup, what, remedy);
    };
    let days = (now - at).num_days();
    let what = format!(
        "the newest copy of the ledger is of {}",
        at.format("%Y-%m-%d")
    );
    match now - at > OLD {
        true => Finding::warning(Topic::Backup, format!("{what}, {days} days ago"), remedy),
        false => Finding::ok(Topic::Backup, what),
    }
}

fn disk(config: &Config) -> Vec<Finding> {
    let folder = config.store.path.parent().unwrap_or(&config.root);
    let free = match rustix::fs::statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => {
            let what = format!("{}: {error}", folder.display());
            let remedy = "see `store.url` in letterpress.toml";
            return vec![Finding::error(Topic::Disk, what, remedy)];
        }
    };
    let what = format!("{} MB free beside the ledger", free / 1_000_000);
    let remedy = "make room: nothing is sent without a record on the disk";
    vec![match free {
        free if free < TOO_LITTLE => Finding::error(Topic::Disk, what, remedy),
        free if free < LITTLE => Finding::warning(Topic::Disk, what, remedy),
        _ => Finding::ok(Topic::Disk, what),
    }]
}
