//! The campaigns: the promises of `docs/delivery.md`, tested for as long as it
//! takes rather than for as long as one wants to wait.
//!
//! `cargo test --release --test campaign -- kills --seed 1 --count 1000` and so
//! on; `--help` names them all. Each prints its seed, the command that plays it
//! again, and its figures. At the first broken promise it stops with exit code
//! 1 and leaves publication, ledger, journals and traces in its folder.

#![allow(
    clippy::unwrap_used,
    reason = "an unwrap is an assertion here; the panic names the line"
)]

#[path = "../harness/mod.rs"]
mod harness;
mod scenarios;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, Subcommand};

use scenarios::{
    disk, kills, moves, one_click, order, overlap, power, relay_deaths, stops, syscalls, workers,
};

/// Proves the promises of delivery at length
#[derive(Debug, Parser)]
#[command(
    name = "campaign",
    bin_name = "cargo test --release --test campaign --",
    after_help = "Every campaign ends with a line for the table in docs/proof.md."
)]
struct Arguments {
    #[command(subcommand)]
    campaign: Campaign,
    /// Plays the same chances again; drawn anew if absent
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Where evidence is kept (target/campaign unless told)
    #[arg(long, global = true, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Campaign {
    /// SIGKILL at random moments of one issue
    Kills(kills::Options),
    /// SIGKILL before every system call of a small run
    Syscalls(syscalls::Options),
    /// The intent is synced before the dot: read from a trace
    Order(order::Options),
    /// The relay dies, again and again
    RelayDeaths(relay_deaths::Options),
    /// The disk is full at every stage
    Disk(disk::Options),
    /// Many runs start at once
    Overlap(overlap::Options),
    /// The power fails and what was not synced is gone
    Power(power::Options),
    /// Runs are stopped, continued, and told to end
    Stops(stops::Options),
    /// Readers leave by one click while their letter goes out
    OneClick(one_click::Options),
    /// Many workers share a ledger on a server
    Workers(workers::Options),
    /// A ledger moves to a server and back, killed on the way
    Moves(moves::Options),
}

fn main() {
    let arguments = Arguments::parse();
    let seed = arguments
        .seed
        .unwrap_or_else(|| getrandom::u64().unwrap() % 1_000_000);
    let mut command = vec!["cargo test --release --test campaign --".to_owned()];
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--seed" => drop(given.next()),
            word if word.starts_with("--seed=") => {}
            _ => command.push(word),
        }
    }
    command.push(format!("--seed {seed}"));
    let command = command.join(" ");

    let folder = arguments.folder.unwrap_or_else(|| {
        let name = format!("{}-{seed}", arguments.campaign.name());
        PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .with_file_name("campaign")
            .join(name)
    });
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    // Every world is built in there; a broken promise ends the process before
    // anything is tidied away.
    tempfile::env::override_temp_dir(&folder).unwrap();
    println!("{command}\nevidence in {}", folder.display());
    stop_at_the_first_panic(command.clone(), folder.clone());

    let begin = Instant::now();
    let figures = match arguments.campaign {
        Campaign::Kills(options) => kills::campaign(&options, seed),
        Campaign::Syscalls(options) => syscalls::campaign(&options, seed),
        Campaign::Order(options) => order::campaign(&options, seed),
        Campaign::RelayDeaths(options) => relay_deaths::campaign(&options, seed),
        Campaign::Disk(options) => disk::campaign(&options, seed),
        Campaign::Overlap(options) => overlap::campaign(&options, seed),
        Campaign::Power(options) => power::campaign(&options, seed),
        Campaign::Stops(options) => stops::campaign(&options, seed),
        Campaign::OneClick(options) => one_click::campaign(&options, seed),
        Campaign::Workers(options) => workers::campaign(&options, seed),
        Campaign::Moves(options) => moves::campaign(&options, seed),
    };
    println!("{figures}took {} s", begin.elapsed().as_secs());
    println!("every promise was kept\n{}", figures.markdown(&command));
}

impl Campaign {
    fn name(&self) -> &'static str {
        match self {
            Self::Kills(_) => "kills",
            Self::Syscalls(_) => "syscalls",
            Self::Order(_) => "order",
            Self::RelayDeaths(_) => "relay-deaths",
            Self::Disk(_) => "disk",
            Self::Overlap(_) => "overlap",
            Self::Power(_) => "power",
            Self::Stops(_) => "stops",
            Self::OneClick(_) => "one-click",
            Self::Workers(_) => "workers",
            Self::Moves(_) => "moves",
        }
    }
}

/// A panic on any thread is a broken promise: says what it was and how to see
/// it again, and ends the process with all evidence in its place.
fn stop_at_the_first_panic(command: String, folder: PathBuf) {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        eprintln!(
            "a promise was broken\nagain:    {command}\nevidence: {}",
            folder.display()
        );
        std::process::exit(1);
    }));
}
