//! How fast the ledger is on this machine's disk: the freeze of a large issue,
//! then intents and outcomes by how many of them share a commit.
//!
//! `cargo bench --bench ledger -- [READERS] [EDITIONS] [FOLDER]`; a million
//! readers who all get one edition, and the folder for temporary files, unless
//! told. Figures only, no verdict.

use std::{
    collections::HashSet,
    error::Error,
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use letterpress::{
    config::settings::{Durability, Engine, Sender, StoreSettings},
    domain::{
        article::ArticleId,
        choice::Choice,
        delivery::{DueDelivery, Intent, Outcome, Reply},
        subscriber::{NewSubscriber, Status},
    },
    store::{Freeze, FreezeOutcome, FrozenArticle, Share, Store},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// So many readers are added in one transaction.
const IMPORT: usize = 100_000;
/// As many intents as there are sessions share a commit.
const GROUPS: [usize; 5] = [1, 10, 50, 200, 500];
/// Each group size is measured for about this long.
const SPAN: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` itself passes `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let readers: usize = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let editions: u32 = arguments.next().map_or(Ok(1), |n| n.parse())?;
    let parent = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let settings = StoreSettings {
        path: folder.path().join("letterpress.db"),
        durability: Durability::Power,
        allow_network_file_system: false,
        engine: Engine::Sqlite,
    };
    let now: DateTime<Utc> = "2026-11-27T05:00:00Z".parse()?;
    let store = Store::open(&settings, now).await?;
    add(&store, readers, editions, now).await?;
    freeze(&store, editions, now).await?;
    for size in GROUPS {
        exchange(&store, size, now).await?;
    }
    let start = Instant::now();
    let recovered = store.recover(now).await?;
    println!("recover {}: {:.2?}", recovered.uncertain, start.elapsed());
    let start = Instant::now();
    let findings = store.verify().await?;
    println!(
        "verify: {:.2?}, {} findings",
        start.elapsed(),
        findings.len()
    );
    let bytes = std::fs::metadata(&settings.path)?.len();
    println!("file: {} MiB", bytes >> 20);
    Ok(())
}

async fn add(store: &Store, readers: usize, editions: u32, now: DateTime<Utc>) -> Result<()> {
    // Every choice but the first is of one section.
    let choices: Vec<Choice> = (0..editions)
        .map(|n| match n {
            0 => Ok(Choice::default()),
            n => format!("sections=s{n}").parse(),
        })
        .collect::<std::result::Result<_, _>>()?;
    let start = Instant::now();
    for first in (0..readers).step_by(IMPORT) {
        let part = (first..readers.min(first + IMPORT))
            .map(|n| {
                Ok(NewSubscriber {
                    address: format!("reader{n}@example.org").parse()?,
                    name: Some("Thandi".to_owned()),
                    status: Status::Active,
                    choice: choices[n % choices.len()].clone(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        store.add(part, "bench", now, false).await?;
    }
    println!("add {readers} readers: {:.2?}", start.elapsed());
    Ok(())
}

async fn freeze(store: &Store, editions: u32, now: DateTime<Utc>) -> Result<()> {
    let issue = Freeze {
        digest: "weekly".parse()?,
        occasion: "2026-11-27T07:00".parse()?,
        number: 1,
        title: "The weekly letter".to_owned(),
        subject: "Five soups and 2 more".to_owned(),
        sender: Sender {
            name: "The Magazine".to_owned(),
            address: "news@magazine.example.org".parse()?,
        },
        articles: vec![FrozenArticle {
            id: ArticleId::new("tag:magazine.example.org,2026:soups").ok_or("no id")?,
            title: "Five soups".to_owned(),
        }],
        passed_over: Vec::new(),
        editions: vec![vec![b'x'; 100 * 1024]; editions as usize],
        shares: (1..)
            .zip(store.choices().await?)
            .map(|(number, chosen)| Share {
                choice: chosen.id,
                edition: Ok(number),
            })
            .collect(),
        caught_up: Vec::new(),
        missed: Vec::new(),
        hold: None,
        idempotency_header: None,
        expire_at: now + TimeDelta::hours(72),
    };
    let start = Instant::now();
    match store.freeze(issue, now).await? {
        FreezeOutcome::Frozen(frozen) => {
            println!(
                "freeze for {} in {editions} editions: {:.2?}",
                frozen.queued,
                start.elapsed()
            );
            Ok(())
        }
        other => Err(format!("not frozen: {other:?}").into()),
    }
}

/// What sessions do, `size` at a time: ask, wait for the commit, tell; what is
/// told goes with the next group's commit.
async fn exchange(store: &Store, size: usize, now: DateTime<Utc>) -> Result<()> {
    let mut messages = 0_u32;
    let mut in_ledger = Duration::ZERO;
    while in_ledger < SPAN {
        let due = store
            .due(
                letterpress::store::Scope::Everything,
                5_000.max(size),
                now,
                HashSet::new(),
            )
            .await?;
        if due.is_empty() {
            break;
        }
        let start = Instant::now();
        for group in due.chunks(size) {
            one_group(store, group, now).await?;
            messages += u32::try_from(group.len())?;
            if in_ledger + start.elapsed() >= SPAN {
                break;
            }
        }
        in_ledger += start.elapsed();
    }
    let Some(each) = in_ledger.checked_div(messages) else {
        println!("groups of {size:>3}: nobody is left; begin with more readers");
        return Ok(());
    };
    println!(
        "groups of {size:>3}: {:>6.0} messages a second (intent and outcome, {each:.1?} each)",
        f64::from(messages) / in_ledger.as_secs_f64()
    );
    Ok(())
}

async fn one_group(store: &Store, group: &[DueDelivery], now: DateTime<Utc>) -> Result<()> {
    let receipts: Vec<_> = group
        .iter()
        .map(|delivery| store.intent(delivery.id, now))
        .collect();
    for receipt in receipts {
        match receipt.await? {
            Intent::Granted(attempt) => {
                let reply = Reply::new(250, "2.0.0 queued as 4711");
                drop(store.outcome(attempt, Outcome::Sent(reply), now));
            }
            Intent::Refused => return Err("an intent was refused".into()),
        }
    }
    Ok(())
}
