//! The pace that all workers of a ledger keep together: through a relay, and to
//! receivers that put messages off. It is taken from the database for many
//! messages at once.

use std::{collections::HashMap, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::sender;
use crate::{
    config::settings::{Rate, RelaySettings},
    domain::delivery::{DeliveryId, DueDelivery, Reply},
    store::{Allowance, Refusal, Store, StoreError},
};

/// For about so long messages are taken ahead.
const AHEAD: Duration = Duration::from_secs(1);
/// Messages that did not leave in their time are let go after so long: others
/// have had the next ones.
const STALE: Duration = Duration::from_millis(250);
/// Nobody waits for a slow receiver for longer without looking again.
const LONGEST_WAIT: Duration = Duration::from_secs(900);

/// The pace of one relay.
pub(super) struct CommonPace {
    store: Store,
    relay: String,
    step: Duration,
    /// So many are taken at once.
    group: u32,
    taken: tokio::sync::Mutex<Taken>,
}

/// Messages that were taken and have not left.
struct Taken {
    left: u32,
    /// The next of them.
    next: Instant,
}

impl CommonPace {
    /// That of this relay, where others send, too.
    pub(super) fn of(store: &Store, settings: &RelaySettings) -> Option<Self> {
        let step = settings.rate.map_or(Duration::ZERO, step);
        let in_time = match step.is_zero() {
            true => 1_000,
            false => AHEAD.as_nanos() / step.as_nanos(),
        };
        store.is_shared().then(|| Self {
            store: store.clone(),
            relay: settings.relay.to_string(),
            step,
            group: u32::try_from(in_time).unwrap_or(u32::MAX).clamp(1, 1_000),
            taken: tokio::sync::Mutex::new(Taken {
                left: 0,
                next: Instant::now(),
            }),
        })
    }

    /// Waits for the moment of the next message.
    pub(super) async fn wait(&self) -> Result<(), StoreError> {
        loop {
            let moment = {
                let mut taken = self.taken.lock().await;
                let is_stale = taken.next + self.patience() < Instant::now();
                if taken.left == 0 || is_stale {
                    let relay = self.relay.clone();
                    let wait = self.store.take_pace(relay, self.group, self.step).await?;
                    *taken = Taken {
                        left: self.group,
                        next: Instant::now() + wait,
                    };
                }
                let moment = taken.next;
                taken.left -= 1;
                taken.next += self.step;
                moment
            };
            sleep_until(moment).await;
            // A process that stood still meanwhile has missed its moment.
            if moment.elapsed() < self.patience() {
                return Ok(());
            }
        }
    }

    /// Takes a message whose moment has come; false when one has to ask or wait.
    pub(super) fn take_now(&self) -> bool {
        let Ok(mut taken) = self.taken.try_lock() else {
            return false;
        };
        let now = Instant::now();
        let is_there = taken.left > 0 && taken.next <= now && now < taken.next + self.patience();
        if is_there {
            taken.left -= 1;
            taken.next += self.step;
        }
        is_there
    }

    /// The relay asked for a rest.
    pub(super) fn rest(&self, reply: &str) {
        let (store, relay, reply) = (self.store.clone(), self.relay.clone(), reply.to_owned());
        // Nobody waits for it: whoever cannot reach the server sends nothing.
        tokio::spawn(async move { drop(store.rest_relay(relay, reply).await) });
    }

    fn patience(&self) -> Duration {
        match self.step.is_zero() {
            true => AHEAD,
            false => STALE.max(self.step),
        }
    }
}

fn step(rate: Rate) -> Duration {
    rate.per / rate.count.get()
}

/// What receivers said since the database was last told.
#[derive(Default)]
pub(super) struct Receivers {
    refusals: HashMap<String, Refusal>,
}

impl Receivers {
    /// A receiver put a message off.
    pub(super) fn refused(&mut self, domain: &str, reply: &Reply) {
        if !matches!(reply.code, 421 | 450 | 451) {
            return;
        }
        let is_firm = reply.code == 421 || sender::fault(reply) == Some(sender::Fault::Reputation);
        let known = self
            .refusals
            .entry(domain.to_owned())
            .or_insert_with(|| Refusal {
                domain: domain.to_owned(),
                count: 0,
                is_firm: false,
                reply: String::new(),
            });
        known.count += 1;
        known.is_firm |= is_firm;
        known.reply = reply.to_string();
    }

    /// What is to be told.
    pub(super) fn take(&mut self) -> Vec<Refusal> {
        self.refusals.drain().map(|(_, refusal)| refusal).collect()
    }
}

/// How many messages go to each receiver.
pub(super) fn by_domain(due: &[DueDelivery]) -> Vec<(String, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for delivery in due {
        *counts.entry(delivery.address.domain()).or_default() += 1;
    }
    let counted = counts.into_iter();
    counted
        .map(|(domain, count)| (domain.to_owned(), count))
        .collect()
}

/// Parts what may leave now from what has to wait, and for how long.
pub(super) fn part(
    due: Vec<DueDelivery>,
    allowances: Vec<Allowance>,
) -> (Vec<DueDelivery>, Vec<(DeliveryId, Duration)>) {
    let mut slow: HashMap<String, Allowance> = allowances
        .into_iter()
        .map(|allowance| (allowance.domain.clone(), allowance))
        .collect();
    let (mut now, mut later) = (Vec::with_capacity(due.len()), Vec::new());
    for delivery in due {
        match slow.get_mut(delivery.address.domain()) {
            Some(allowance) if allowance.now == 0 => {
                later.push((delivery.id, allowance.next.min(LONGEST_WAIT)));
                allowance.next += allowance.step;
            }
            Some(allowance) => {
                allowance.now -= 1;
                now.push(delivery);
            }
            None => now.push(delivery),
        }
    }
    (now, later)
}
