//! This machine: the ledger, and the room for it.

use crate::{
    commands::exit::Failure,
    config::Config,
    doctor::{Finding, Topic},
    store::Store,
};

/// Less than this is an error: not even one issue may fit.
const TOO_LITTLE: u64 = 50_000_000;
/// Less than this is a warning.
const LITTLE: u64 = 500_000_000;

pub(super) async fn ledger(config: &Config, store: Option<&Store>) -> Vec<Finding> {
    let path = config.store.path.display();
    let Some(store) = store else {
        let what = format!("there is none yet at {path}: the first run makes it");
        return vec![Finding::ok(Topic::Ledger, what)];
    };
    match store.verify().await {
        Ok(found) if found.is_empty() => {
            vec![Finding::ok(
                Topic::Ledger,
                format!("{path} is whole, and its sums hold"),
            )]
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

pub(super) fn disk(config: &Config) -> Vec<Finding> {
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
