//! `store move`: the ledger in another database, compared, with the old place
//! marked so that nothing is sent from both.

use clap::Args;

use super::super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::{Config, settings::StoreSettings},
    domain::text::grouped,
    store::{ComparedTable, LockError, MoveError, Moved, RunLock, Stage, Store as Ledger},
};

/// Move the ledger to a server or back into a file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress store move postgres://letters@db.example.org/letters
  letterpress store move sqlite:letterpress.db
  letterpress store move --give-up postgres://letters@db.example.org/letters

Stop cron, workers and `serve` first. The ledger is copied with all its numbers
and its key, so links in letters keep working; then both places are read again,
and every table's rows and checksum are compared. If it is interrupted, the same
command goes on where it was. At the end it says what to write into
letterpress.toml. From its beginning on nothing can be sent from the old place;
readers who leave meanwhile are noted beside it and taken along.

The password of a server comes from where `store.password_file` and the rest of
[store] say.

Exit codes: 66 there is no ledger; 69 a database is away; 74 disk, or the copy
differs; 75 somebody is at work on the ledger; 78 the other place holds another
ledger, or the ledger is elsewhere already.")]
pub(super) struct Move {
    /// Where to: `postgres://user@host/database` or `sqlite:file`
    to: String,
    /// Give up a move that is not finished: the ledger stays where it was
    #[arg(long)]
    give_up: bool,
}

/// # Errors
/// When the ledger cannot be moved; the same command goes on later.
pub(super) async fn run(context: &Context, config: &Config, args: &Move) -> Result<Exit, Failure> {
    let target = config.store_at(&args.to).ok_or_else(|| {
        Failure::new(Exit::Usage, "that is no place for a ledger").hint(
            "use a server, `postgres://user@host/database`, or a file, `sqlite:letterpress.db`",
        )
    })?;
    if target.name() == config.store.name() {
        return Err(Failure::new(
            Exit::Usage,
            format!("the ledger is at {} already", target.name()),
        ));
    }
    let _locks = locks(context, config, &target)?;
    if args.give_up {
        return give_up(context, config, &target).await;
    }
    let bar = context.talk.bar("copying", 0);
    let shown = bar.clone();
    let moved = Ledger::move_to(
        &config.store,
        &target,
        context.clock.start(),
        move |stage, done, total| {
            shown.set_prefix(match stage {
                Stage::Copying => "copying",
                Stage::Comparing => "comparing",
            });
            shown.set_length(total);
            shown.set_position(done);
        },
    )
    .await;
    bar.finish_and_clear();
    let moved = moved.map_err(|error| failure(config, error))?;
    context.talk.data(&moved, || text(&moved))?;
    context.talk.must_say(format!(
        "moved. Write this into letterpress.toml, on every machine, and start `serve` again:\n\n\
         [store]\n{}\n\nhint: {} stays as it was and refuses to be used; remove it when you are \
         sure",
        setting(&args.to),
        moved.from
    ));
    Ok(Exit::Done)
}

/// The line for letterpress.toml, without a password.
fn setting(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return format!("url = \"{url}\"");
    };
    if parsed.password().is_none() || parsed.set_password(None).is_err() {
        return format!("url = \"{url}\"");
    }
    format!("url = \"{parsed}\"   # and the password as before")
}

/// Nobody sends from either place meanwhile, as far as this machine goes.
fn locks(
    context: &Context,
    config: &Config,
    target: &StoreSettings,
) -> Result<Vec<RunLock>, Failure> {
    let mut paths = vec![&config.store.path];
    if target.path != config.store.path {
        paths.push(&target.path);
    }
    let lock = |path: &std::path::PathBuf| {
        RunLock::acquire(path, context.clock.machine_time()).map_err(|error| match error {
            LockError::Held(held) => Failure::new(Exit::Temporary, held.to_string())
                .hint("wait for its end, then run the same command again"),
            LockError::Store(error) => workspace::store_failure(error),
        })
    };
    paths.into_iter().map(lock).collect()
}

async fn give_up(
    context: &Context,
    config: &Config,
    target: &StoreSettings,
) -> Result<Exit, Failure> {
    let is_given_up = Ledger::give_up_move(&config.store, target, context.clock.start())
        .await
        .map_err(|error| failure(config, error))?;
    context.talk.say(if is_given_up {
        format!(
            "given up: the ledger stays at {}, and {} holds nothing of it",
            config.store.name(),
            target.name()
        )
    } else {
        "nothing to give up: the ledger is not on its way anywhere".to_owned()
    });
    Ok(Exit::Done)
}

fn failure(config: &Config, error: MoveError) -> Failure {
    let (exit, hint) = match &error {
        MoveError::Absent(_) => return workspace::no_ledger(config),
        MoveError::Busy(_) => (
            Exit::Temporary,
            "wait for runs and workers to end; what a dead one left is settled by the next \
             `letterpress run`",
        ),
        MoveError::Taken { .. } => (
            Exit::Config,
            "name an empty database: a ledger is never written over",
        ),
        MoveError::Differs(_) => (
            Exit::Io,
            "nothing was sent from there, and the ledger is whole where it was: `--give-up` goes \
             back to it",
        ),
        MoveError::Unsound { .. } => (Exit::Io, workspace::RESTORE),
        MoveError::Store(error) => return workspace::store_failure(error.clone()),
    };
    Failure::of(exit, &error).hint(hint)
}

fn text(moved: &Moved) -> String {
    let head = ["table", "rows", "SHA-256, equal at both places"].map(str::to_owned);
    let row = |table: &ComparedTable| {
        vec![
            table.table.clone(),
            grouped(table.rows),
            table.sha256.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head.to_vec())
        .chain(moved.tables.iter().map(row))
        .collect();
    let from = match moved.is_resumed {
        true => "an earlier move was finished",
        false => "moved in one go",
    };
    let total: u64 = moved.tables.iter().map(|table| table.rows).sum();
    format!(
        "{}{}, {from}: {} → {}",
        workspace::table(&rows),
        count(total, "row"),
        moved.from,
        moved.to
    )
}
