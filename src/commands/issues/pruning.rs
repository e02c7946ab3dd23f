//! `issues prune`: old issues lose their deliveries, not what they sum up to.

use clap::Args;
use serde::Serialize;

use super::super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{config::Config, domain::text::grouped, store::Prunable};

/// Remove the deliveries of old issues; what they sum up to stays
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress issues prune --keep 12 --dry-run    what would go
  letterpress issues prune --keep 12              all but the newest 12 of each digest
  letterpress issues prune --keep 52 daily        of one digest

What stays of a pruned issue: its counts, what came back in numbers, its articles
(none is sent again), its letter on the website. What goes: who got it, every
attempt, what servers said. A bounce or a complaint that comes later finds no
reader any more, so keep some weeks. Links in its letters keep working.

Issues that are under way, paused or have uncertain deliveries stay whole, and so
does the newest. A few thousand rows go at a time, so this may be done while a run
sends, and goes on where it was if it is interrupted. The room is used again; the
file does not become smaller.")]
pub(super) struct Prune {
    /// How many of the newest issues of each digest stay whole
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Of this digest only
    digest: Option<String>,
}

/// What was removed, or would be, for `--format json`.
#[derive(Serialize)]
struct Done<'a> {
    dry_run: bool,
    issues: &'a [Prunable],
    deliveries: u64,
}

/// # Errors
/// When the digest is unknown, or the ledger cannot be read or written.
pub(super) async fn run(context: &Context, config: &Config, args: &Prune) -> Result<Exit, Failure> {
    if let Some(name) = &args.digest
        && config.digest(name).is_none()
    {
        return Err(
            Failure::new(Exit::Usage, format!("there is no digest `{name}`"))
                .hint("letterpress.toml names them, in [[digest]]"),
        );
    }
    let store = if args.dry_run {
        workspace::needed_ledger(context, config).await?
    } else {
        workspace::ledger(context, config).await?
    };
    let issues = store
        .prunable(args.digest.clone(), args.keep)
        .await
        .map_err(workspace::store_failure)?;
    let deliveries = issues.iter().map(|issue| issue.deliveries).sum();
    if !args.dry_run {
        let bar = context.talk.bar("pruning", deliveries);
        for issue in &issues {
            loop {
                let removed = store.prune(issue.id).await;
                match removed.map_err(workspace::store_failure)? {
                    0 => break,
                    removed => bar.inc(removed),
                }
            }
        }
        bar.finish_and_clear();
    }
    let done = Done {
        dry_run: args.dry_run,
        issues: &issues,
        deliveries,
    };
    context.talk.data(&done, || text(&done))?;
    Ok(Exit::Done)
}

fn text(done: &Done<'_>) -> String {
    if done.issues.is_empty() {
        return "nothing to prune".to_owned();
    }
    let head = ["issue", "deliveries"].map(str::to_owned).to_vec();
    let row = |issue: &Prunable| vec![issue.issue.clone(), grouped(issue.deliveries)];
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(done.issues.iter().map(row))
        .collect();
    let verb = if done.dry_run { "would be " } else { "" };
    format!(
        "{}{} of {} {verb}removed",
        workspace::table(&rows),
        count(done.deliveries, "delivery"),
        count(done.issues.len(), "issue")
    )
}
