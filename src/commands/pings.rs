//! Tells the WebSub hub which feeds changed: what is due in the ledger, for a
//! short time, and never at the price of a run.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::task::JoinHandle;
use url::Url;

use super::{
    Context,
    exit::{Exit, Failure},
    talk::count,
    workspace,
};
use crate::{
    config::Config,
    store::{Ping, PingFate, Store},
    websub::{self, GIVE_UP_AFTER, Hub, Limits, PingError, Verdict},
};

/// What is not told by then waits for the next run.
const LONGEST_ROUND: Duration = Duration::from_secs(30);

/// A hub that refuses so many feeds in a row is not asked for the rest.
const REFUSALS: usize = 3;

/// Failed attempts after which a person hears of it: about an hour and a half.
const LASTING: u32 = 5;

/// What a round of pings did.
#[derive(Debug, Default, Serialize)]
pub struct Round {
    /// Feeds whose change the hub has accepted.
    pub told: Vec<String>,
    /// Feeds that it is told of later.
    pub waiting: usize,
    /// Feeds it was asked about for too long.
    pub given_up: usize,
}

/// Starts telling the hub; mail goes out meanwhile.
#[must_use]
pub fn start(
    context: &Context,
    config: &Config,
    store: &Store,
) -> JoinHandle<Result<Round, Failure>> {
    let (context, store, hub) = (context.clone(), store.clone(), config.feeds.hub.clone());
    tokio::spawn(async move { round(&context, &store, hub.as_ref()).await })
}

/// What became of the round.
///
/// # Errors
/// When the ledger failed.
pub async fn end(round: JoinHandle<Result<Round, Failure>>) -> Result<Round, Failure> {
    match round.await {
        Ok(round) => round,
        Err(error) => Err(Failure::of(Exit::Internal, &error)),
    }
}

async fn round(context: &Context, store: &Store, hub: Option<&Url>) -> Result<Round, Failure> {
    // 1. What is due; another process does not get it too.
    let due = store
        .take_pings(hub.map(Url::as_str), context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    let Some(hub) = hub.filter(|_| !due.is_empty()) else {
        return Ok(Round::default());
    };
    // 2. The hub is asked on a thread that may wait.
    let address = hub.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&address, due))
        .await
        .map_err(|error| Failure::of(Exit::Internal, &error))?;
    // 3. What became of it: for the ledger, then for people.
    let now = context.clock.now();
    let mut round = Round::default();
    let mut words = Words::default();
    let mut settled = Vec::new();
    for (ping, result) in asked {
        let fate = match result {
            None => PingFate::NotAsked,
            Some(Ok(())) => PingFate::Told,
            Some(Err(error)) => {
                let verdict = websub::after_failure(ping.attempts, ping.changed_at, now);
                words.note(&ping, &error, verdict);
                match verdict {
                    Verdict::GiveUp => PingFate::Dropped,
                    Verdict::AskAgain(again_at) => PingFate::Failed {
                        again_at,
                        error: error.to_string(),
                    },
                }
            }
        };
        match fate {
            PingFate::Told => round.told.push(ping.topic.clone()),
            PingFate::Dropped => round.given_up += 1,
            PingFate::Failed { .. } | PingFate::NotAsked => round.waiting += 1,
        }
        settled.push((ping, fate));
    }
    round.told.sort();
    store
        .settle_pings(hub.as_str(), settled, now)
        .await
        .map_err(workspace::store_failure)?;
    words.say(context, hub, &round);
    Ok(round)
}

type Asked = (Ping, Option<Result<(), PingError>>);

/// Asks the hub, feed by feed, until it is done, away, or time is up.
fn ask(address: &Url, due: Vec<Ping>) -> Vec<Asked> {
    let hub = Hub::new(address, Limits::default());
    let since = Instant::now();
    let mut trouble: Option<PingError> = None;
    let mut refusals = 0;
    due.into_iter()
        .map(|ping| {
            if let Some(error) = &trouble {
                return (ping, Some(Err(error.clone())));
            }
            if since.elapsed() >= LONGEST_ROUND {
                return (ping, None);
            }
            let result = hub.ping(&ping.topic);
            match &result {
                Ok(()) => refusals = 0,
                Err(error) => {
                    refusals += 1;
                    if matches!(error, PingError::Away(_)) || refusals >= REFUSALS {
                        trouble = Some(error.clone());
                    }
                }
            }
            (ping, Some(result))
        })
        .collect()
}

/// What a round has to say, once for all its feeds.
#[derive(Default)]
struct Words {
    errors: BTreeSet<String>,
    is_lasting: bool,
    failing_since: Option<chrono::DateTime<chrono::Utc>>,
}

impl Words {
    fn note(&mut self, ping: &Ping, error: &PingError, verdict: Verdict) {
        self.errors.insert(error.to_string());
        if matches!(verdict, Verdict::AskAgain(_)) && ping.attempts + 1 == LASTING {
            self.is_lasting = true;
            self.failing_since = self
                .failing_since
                .min(ping.failing_since)
                .or(ping.failing_since);
        }
    }

    fn say(&self, context: &Context, hub: &Url, round: &Round) {
        if !round.told.is_empty() {
            let feeds = count(round.told.len(), "changed feed");
            context.talk.say(format!("told the hub {hub} of {feeds}"));
        }
        let errors: Vec<&str> = self.errors.iter().map(String::as_str).collect();
        let errors = errors.join("; ");
        if round.given_up > 0 {
            context.talk.must_say(format!(
                "gave up telling the hub {hub} of {} after {} days: {errors}\n\
                 hint: it is told again when they change; readers that poll see everything",
                count(round.given_up, "changed feed"),
                GIVE_UP_AFTER.num_days()
            ));
        } else if self.is_lasting {
            let since = self.failing_since.map_or_else(String::new, |since| {
                format!(" since {}", since.format("%Y-%m-%d %H:%M UTC"))
            });
            context.talk.must_say(format!(
                "the hub {hub} has not taken the news of changed feeds{since}: {errors}\n\
                 hint: it is asked every hour, for {} days; nothing else waits for it",
                GIVE_UP_AFTER.num_days()
            ));
        } else if !errors.is_empty() {
            context.talk.say(format!(
                "the hub {hub} is told of {} by a later run: {errors}",
                count(round.waiting, "changed feed")
            ));
        }
    }
}
