//! `store`: a copy of the ledger, whether it adds up, and its move elsewhere.

mod moving;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    right::{self, Turn},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    mail::Edition,
    store::{Copied, Store as Ledger, StoreError},
};

/// Copy the ledger, check that it adds up, or move it to another database
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress store verify                     read all of it and add it up
  letterpress store backup                     a copy beside the ledger
  letterpress store backup /backup/today.db    a copy elsewhere
  letterpress store verify --accept-restored   go on with a restored backup
  letterpress store move postgres://letters@db.example.org/letters

`verify` and `backup` may be used while a run sends. A copy is checked before it
gets its name, and never replaces a file.")]
pub struct Store {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A copy of the ledger, also while a run sends
    Backup {
        /// Where to; a file with the time in its name beside the ledger if not given
        file: Option<PathBuf>,
    },
    /// Read all of the ledger: its integrity, every sum, every state
    Verify {
        /// Accept a ledger that was restored from a backup: what it cannot know
        /// is uncertain, and runs may go on
        #[arg(long)]
        accept_restored: bool,
    },
    /// Move the ledger to a server or back into a file
    Move(moving::Move),
}

/// What `verify` found, for `--format json`.
#[derive(Serialize)]
struct Verdict<'a> {
    ledger: &'a str,
    ok: bool,
    findings: &'a [String],
}

/// # Errors
/// When the ledger is not there, cannot be read or copied, or does not add up.
pub async fn run(context: &Context, args: &Store) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    match &args.what {
        What::Backup { file } => backup(context, &config, file.as_deref()).await,
        What::Verify { accept_restored } => {
            let exit = verify(context, &config).await?;
            if !accept_restored || exit != Exit::Done {
                return Ok(exit);
            }
            accept(context, &config).await
        }
        What::Move(args) => moving::run(context, &config, args).await,
    }
}

async fn backup(context: &Context, config: &Config, file: Option<&Path>) -> Result<Exit, Failure> {
    let to = match file {
        Some(file) => file.to_owned(),
        None => {
            let zone = config.publication.timezone;
            let now = context.clock.now().with_timezone(&zone);
            let name = config.store.path.file_stem().unwrap_or_default();
            let name = name.to_string_lossy();
            config
                .store
                .path
                .with_file_name(format!("{name}-{}.db", now.format("%Y%m%d-%H%M%S")))
        }
    };
    if to.symlink_metadata().is_ok() {
        return Err(
            Failure::new(Exit::Io, format!("{} is there already", to.display()))
                .hint("name another file: a backup never replaces one"),
        );
    }
    let bar = context.talk.bar("copying", 0);
    let shown = bar.clone();
    let copied = Ledger::backup(&config.store, to, move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let copied = copied
        .map_err(workspace::store_failure)?
        .ok_or_else(|| workspace::no_ledger(config))?;
    context.talk.data(&copied, || told(&copied))?;
    Ok(Exit::Done)
}

fn told(copied: &Copied) -> String {
    format!("{} ({} KiB)", copied.path.display(), copied.bytes / 1024)
}

async fn verify(context: &Context, config: &Config) -> Result<Exit, Failure> {
    let store = workspace::needed_ledger(context, config).await?;
    let mut findings = store.verify().await.map_err(workspace::store_failure)?;
    let altered = altered_editions(&store).await;
    findings.extend(altered.map_err(workspace::store_failure)?);
    let verdict = Verdict {
        ledger: store.name(),
        ok: findings.is_empty(),
        findings: &findings,
    };
    context.talk.data(&verdict, || findings.join("\n"))?;
    if findings.is_empty() {
        context.talk.say("the ledger adds up");
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::Io,
        format!(
            "the ledger fails its integrity check at {}: {}",
            store.name(),
            count(findings.len(), "finding")
        ),
    )
    .hint(workspace::RESTORE))
}

/// What issues are made of and is not as it was frozen: only its own checksum tells.
async fn altered_editions(store: &Ledger) -> Result<Vec<String>, StoreError> {
    let mut findings = Vec::new();
    for issue in store.issues(usize::MAX).await? {
        for edition in store.editions(issue.id).await? {
            let Some(stored) = store.edition(issue.id, edition.number).await? else {
                continue;
            };
            if let Err(error) = Edition::from_bytes(&stored.bytes) {
                findings.push(format!(
                    "issue {}/{}, edition {}: {error}",
                    issue.digest, issue.number, edition.number
                ));
            }
        }
    }
    Ok(findings)
}

/// Makes a restored ledger the ledger, with what it cannot know in doubt.
async fn accept(context: &Context, config: &Config) -> Result<Exit, Failure> {
    let _right = match right::take(context, config, None).await? {
        Turn::Taken(right) => right,
        Turn::Busy(_) => return Ok(Exit::Temporary),
    };
    let store = Ledger::open_left(&config.store, context.clock.start())
        .await
        .map_err(workspace::store_failure)?;
    let is_accepted = store
        .accept_restored(std::process::id(), context.clock.start())
        .await
        .map_err(workspace::store_failure)?;
    if !is_accepted {
        context
            .talk
            .say("nothing to accept: the ledger is as new as the last run here");
        return Ok(Exit::Done);
    }
    let held = store
        .uncertain()
        .await
        .map_err(workspace::store_failure)?
        .len();
    context.talk.say(format!(
        "accepted; {} to be settled (`letterpress uncertain list`). Issues frozen after the backup \
         are not in it: `letterpress plan` shows what the next run would send",
        count(held, "uncertain delivery")
    ));
    Ok(Exit::Done)
}
