//! `work`: one delivery worker that runs until it is stopped. It waits for what is
//! due and delivers it; it never builds and never freezes.

use std::{sync::Arc, time::Duration};

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Context,
    deliver::{self, Delivering, Hands},
    doubt, ending,
    exit::{Exit, Failure},
    right::Right,
    signals::Signals,
    talk::Format,
    turn, workspace,
};
use crate::{
    config::Config,
    domain::text::grouped,
    outbox::{Enlistment, Report, Why},
    store::{LockError, Scope, Store},
};

/// How often a worker without work looks for some.
const LOOK: Duration = Duration::from_secs(1);
/// How long it rests when relays take no more.
const REST: Duration = Duration::from_secs(60);
/// How often it looks for lost workers, for what ran out of time, and for what
/// `on_uncertain` makes of uncertain deliveries.
const SWEEP: Duration = Duration::from_secs(60);

/// Deliver what is due until stopped: any number of workers, on any number of machines
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress work                                one worker, through all relays
  letterpress work --relay smtp.example.org:587   through this relay only
  letterpress work --grace 5m                     slow relays may finish when it is stopped

With a ledger on a PostgreSQL server start as many as you like, wherever the database
and a relay can be reached; each claims a few deliveries at a time, and what a
lost worker had claimed goes to the others. `run`, from cron on one machine or
more, builds and freezes, and delivers beside them. With a ledger in a file one
worker delivers whenever no `run` does.

A worker goes on when the database or its relay comes back. SIGTERM or Ctrl-C:
no new message, those under way are finished within `--grace`; a second one ends
it at once.

Exit codes: 0 ended by a signal; 3 a reader may have a message twice; 66 no
letterpress.toml; 69 the database stayed away for longer than `store.patience`;
74 disk; 77 login or TLS refused; 78 configuration, or a restored ledger.")]
pub struct Work {
    /// Deliver through this one of the configured relays only
    #[arg(long, value_name = "NAME")]
    relay: Option<String>,
    /// How long a stopped worker waits for the messages under way
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = humantime::parse_duration)]
    grace: Duration,
}

/// What a worker did, for `--format json` and the ledger.
#[derive(Debug, Default, Serialize)]
struct Done {
    worker: bool,
    sent: u64,
    deferred: u64,
    rejected: u64,
    failed: u64,
    uncertain: u64,
    exit: u8,
}

impl Done {
    fn add(&mut self, report: &Report) {
        self.sent += report.sent;
        self.deferred += report.deferred;
        self.rejected += report.rejected;
        self.failed += report.failed;
        self.uncertain += report.uncertain;
    }
}

/// A worker at work.
struct Worker<'a> {
    context: &'a Context,
    config: &'a Config,
    store: &'a Store,
    relay: Option<&'a str>,
    grace: Duration,
    signals: Signals,
    done: Done,
    exit: Exit,
    /// Why the last round ended early, which people were told.
    told: Option<Why>,
}

/// What comes after a round.
enum Next {
    /// More, as soon as it is due.
    Look,
    /// More, but relays want a rest.
    Rest,
    /// Nothing: a signal, or what only a person can mend.
    End,
}

/// # Errors
/// When settings or the ledger cannot be used.
pub async fn run(context: &Context, args: &Work) -> Result<Exit, Failure> {
    let (config, warnings) = workspace::configuration(context)?;
    for warning in warnings {
        context.talk.say(warning);
    }
    let relay = chosen(&config, args.relay.as_deref())?;
    // Heard from here on, so that none is lost.
    let signals = Signals::listen();
    let store = workspace::ledger(context, &config).await?;
    let context = &workspace::in_time(context, &store).await?;
    let mut worker = Worker {
        context,
        config: &config,
        store: &store,
        relay: relay.as_deref(),
        grace: args.grace,
        signals,
        done: Done {
            worker: true,
            ..Done::default()
        },
        exit: Exit::Done,
        told: None,
    };
    match store.is_shared() {
        true => worker.beside_others().await?,
        false => worker.alone().await?,
    }
    worker.done.exit = worker.exit.code();
    context.talk.say(format!(
        "ended: {} sent, {} deferred",
        grouped(worker.done.sent),
        grouped(worker.done.deferred)
    ));
    if context.talk.format == Format::Json {
        context.talk.data(&worker.done, String::new)?;
    }
    Ok(worker.exit)
}

/// The name of the relay that is meant, by its name or its host alone.
fn chosen(config: &Config, wanted: Option<&str>) -> Result<Option<String>, Failure> {
    let mail = super::freezing::without_password(config)?;
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let names: Vec<String> = mail
        .relays
        .iter()
        .map(|one| one.relay.to_string())
        .collect();
    let is_meant = |name: &&String| {
        let host = name.rsplit_once(':').map(|(host, _)| host);
        name.as_str() == wanted || host == Some(wanted)
    };
    let meant: Vec<&String> = names.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [one] => Ok(Some((*one).clone())),
        several => {
            let what = match several.len() {
                0 => format!("there is no relay `{wanted}`"),
                _ => format!("there are several relays at `{wanted}`"),
            };
            let hint = format!("there are: {}", names.join(", "));
            Err(Failure::new(Exit::Config, what).hint(hint))
        }
    }
}

impl Worker<'_> {
    /// On a server: one run and one lease for as long as it lives.
    async fn beside_others(&mut self) -> Result<(), Failure> {
        let (context, config, store) = (self.context, self.config, self.store);
        let number = loop {
            let begun = turn::begin(context, config, store).await;
            match self.unless_busy(begun).await? {
                Some(number) => break number,
                None if self.signals.was_heard() => return Ok(()),
                None => {}
            }
        };
        let result = loop {
            // What a shift had claimed goes with its lease.
            let ended = self.shifts(number).await;
            match self.unless_busy(ended).await {
                Ok(None) if !self.signals.was_heard() => {}
                Ok(_) => break Ok(self.exit),
                Err(failure) => break Err(failure),
            }
        };
        self.close(number, result).await
    }

    /// Nothing, after a moment, where others write for longer than one waits for them:
    /// an import, a freeze.
    async fn unless_busy<T>(&mut self, done: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match done {
            Err(failure) if failure.is_busy() => {
                self.context.talk.must_say(&failure);
                self.ends(Next::Look).await;
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    async fn shifts(&mut self, number: i64) -> Result<(), Failure> {
        let context = self.context;
        let delivering = self.delivering(number);
        let enlistment = deliver::enlist(&delivering).await?;
        let work = async {
            let mut swept: Option<Instant> = None;
            while let Some(is_due) = self.look().await? {
                if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
                    let sweep = sweep(context, self.config, self.store);
                    self.signals.heeded(self.store, sweep).await?;
                    swept = Some(Instant::now());
                }
                let next = match is_due {
                    true => {
                        self.round(&delivering, &mut Right::Shared, &enlistment)
                            .await?
                    }
                    false => Next::Look,
                };
                if self.ends(next).await {
                    break;
                }
            }
            deliver::dismiss(context, &delivering, &enlistment).await
        };
        deliver::vigilantly(context, &delivering, &enlistment, work).await
    }

    /// With a file: a run for each round, while no other has the right to send.
    async fn alone(&mut self) -> Result<(), Failure> {
        // Nobody enlists there.
        let enlistment = deliver::enlist(&self.delivering(0)).await?;
        while let Some(is_due) = self.look().await? {
            let right = is_due.then(|| Right::now(self.context, self.config));
            let next = match right {
                Some(Ok(mut right)) => self.turn(&mut right, &enlistment).await?,
                Some(Err(LockError::Store(error))) => return Err(workspace::store_failure(error)),
                // Whoever has it delivers.
                Some(Err(LockError::Held(_))) | None => Next::Look,
            };
            if self.ends(next).await {
                break;
            }
        }
        Ok(())
    }

    async fn turn(
        &mut self,
        right: &mut Right,
        enlistment: &Arc<Enlistment>,
    ) -> Result<Next, Failure> {
        let number = turn::begin(self.context, self.config, self.store).await?;
        let delivering = self.delivering(number);
        let mut next = Next::End;
        let result = async {
            sweep(self.context, self.config, self.store).await?;
            next = self.round(&delivering, right, enlistment).await?;
            Ok(self.exit)
        };
        let result = result.await;
        self.close(number, result).await?;
        Ok(next)
    }

    async fn close(&mut self, number: i64, result: Result<Exit, Failure>) -> Result<(), Failure> {
        let done = &mut self.done;
        let summary = |exit: Exit| {
            done.exit = exit.code();
            serde_json::to_string(&done).unwrap_or_default()
        };
        turn::close(self.context, self.store, number, result, summary).await?;
        Ok(())
    }

    /// Whether anything is due; `None` once the worker is to end. A server that is
    /// away is waited for.
    async fn look(&mut self) -> Result<Option<bool>, Failure> {
        let next = tokio::select! {
            biased;
            () = self.signals.next() => {
                self.store.hurry();
                return Ok(None);
            }
            next = self.store.next_due() => next.map_err(workspace::store_failure)?,
        };
        let now = self.context.clock.now();
        Ok(Some(next.is_some_and(|at| at <= now)))
    }

    /// Delivers what is due.
    async fn round(
        &mut self,
        delivering: &Delivering<'_>,
        right: &mut Right,
        enlistment: &Arc<Enlistment>,
    ) -> Result<Next, Failure> {
        let (context, store) = (self.context, self.store);
        let set_out = turn::set_out(context, store, delivering.number);
        self.signals.heeded(store, set_out).await?;
        if self.signals.was_heard() {
            // It was heeded already: a drain would wait for another.
            return Ok(Next::End);
        }
        let mut hands = Hands {
            right,
            enlistment,
            signals: &mut self.signals,
            is_pressing: false,
        };
        let mut report = deliver::drain(context, delivering, &mut hands).await?;
        self.done.add(&report);
        let finish = deliver::finish(context, store);
        self.signals.heeded(store, finish).await?;
        Ok(self.conclude(&mut report))
    }

    /// Says how a round went, each early end once.
    fn conclude(&mut self, report: &mut Report) -> Next {
        let why = report.ending.as_ref().map(|ending| ending.why);
        if why.is_some() && why == self.told {
            report.ending = None;
        }
        self.told = why;
        if !report.late.is_empty() {
            self.exit = self.exit.worse(Exit::Uncertain);
        }
        ending::conclude(self.context, self.config, report);
        match why {
            None | Some(Why::OthersServe) => Next::Look,
            Some(Why::Stopped) => Next::End,
            // Trying again could lock the account, or fill the log.
            Some(why @ (Why::Refused | Why::Folder)) => {
                self.exit = self.exit.worse(ending::exit_for(why));
                Next::End
            }
            Some(Why::RelayAway | Why::Quota | Why::Protocol | Why::Sender | Why::Content) => {
                Next::Rest
            }
        }
    }

    /// Waits for the next look; true when there is none.
    async fn ends(&mut self, next: Next) -> bool {
        // A drain that was at its end when it was told to stop does not say so.
        if self.signals.was_heard() {
            return true;
        }
        let pause = match next {
            Next::Look => LOOK,
            Next::Rest => REST,
            Next::End => return true,
        };
        tokio::select! {
            biased;
            () = self.signals.next() => true,
            () = tokio::time::sleep(pause) => false,
        }
    }
}

impl<'a> Worker<'a> {
    fn delivering(&self, number: i64) -> Delivering<'a> {
        Delivering {
            config: self.config,
            store: self.store,
            number,
            scope: Scope::Everything,
            relay: self.relay,
            grace: self.grace,
        }
    }
}

/// What others left behind, and what ran out of time.
async fn sweep(context: &Context, config: &Config, store: &Store) -> Result<(), Failure> {
    doubt::recover(context, config, store, None).await?;
    deliver::expire(context, store).await?;
    Ok(())
}
