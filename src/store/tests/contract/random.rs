//! Random lives of an issue: whatever happens in whatever order, nothing is
//! lost, nothing comes back that was final, and the sums hold at every step.

use std::collections::BTreeMap;

use super::*;
use crate::{
    domain::delivery::{Outcome, Phase},
    store::{IssueChange, Recorded},
};

/// A small generator, so that a seed replays its life (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let bound = u64::try_from(from.len()).unwrap();
        (bound > 0).then(|| from[usize::try_from(self.below(bound)).unwrap()].clone())
    }
}

struct Life {
    world: World,
    issue: IssueId,
    dice: Dice,
    clock: DateTime<Utc>,
    in_hand: Vec<(DeliveryId, AttemptId)>,
    left: HashSet<EmailAddress>,
    accepted: BTreeMap<DeliveryId, u32>,
    resent: HashSet<DeliveryId>,
}

impl Life {
    async fn begin(seed: u64) -> Self {
        let (world, issue) = frozen_world(12).await;
        Self {
            world,
            issue,
            dice: Dice(seed),
            clock: now(),
            in_hand: Vec::new(),
            left: HashSet::new(),
            accepted: BTreeMap::new(),
            resent: HashSet::new(),
        }
    }

    async fn step(&mut self) {
        match self.dice.below(20) {
            0..=6 => self.ask().await,
            7..=12 => self.tell().await,
            13 => self.leave().await,
            14 => self.crash().await,
            15 => {
                let pause = IssueChange::Pause("by hand".to_owned());
                self.change(pause).await;
            }
            16 | 17 => self.change(IssueChange::Resume).await,
            18 => self.settle().await,
            _ => {
                self.clock += TimeDelta::minutes(90);
                self.world.store.expire(self.clock).await.unwrap();
                self.world.store.finish_issues(self.clock).await.unwrap();
            }
        }
    }

    async fn change(&mut self, change: IssueChange) {
        let store = &self.world.store;
        store
            .change_issue(self.issue, change, self.clock)
            .await
            .unwrap();
    }

    async fn ask(&mut self) {
        let due = self.world.due(self.clock).await;
        let Some(delivery) = self.dice.pick(&due) else {
            return;
        };
        if self.dice.below(4) == 0 {
            self.unsubscribe(&delivery.address).await;
        }
        let intent = self.world.store.intent(delivery.id, self.clock).await;
        match intent.unwrap() {
            Intent::Granted(attempt) => {
                assert!(!self.left.contains(&delivery.address), "left, then sent");
                self.in_hand.push((delivery.id, attempt));
            }
            Intent::Refused => {}
        }
    }

    async fn tell(&mut self) {
        let Some(told) = self.dice.pick(&self.in_hand) else {
            return;
        };
        self.in_hand.retain(|other| *other != told);
        let (delivery, attempt) = told;
        let reply = Reply::new(451, "4.7.1 later");
        let reason = "something".to_owned();
        let outcome = match self.dice.below(8) {
            0 => Outcome::Deferred {
                reply,
                retry_at: self.clock + TimeDelta::minutes(15),
            },
            1 => Outcome::Requeued { reason },
            2 => Outcome::Rejected {
                phase: Phase::Rcpt,
                reply: Reply::new(550, "5.1.1 unknown"),
                is_hard: true,
            },
            3 => Outcome::Uncertain { reason },
            4 => Outcome::Failed { reason },
            _ => Outcome::Sent(ok()),
        };
        let is_sent = matches!(outcome, Outcome::Sent(_));
        let told = self.world.store.outcome(attempt, outcome, self.clock).await;
        if is_sent {
            *self.accepted.entry(delivery).or_default() += 1;
            assert!(
                matches!(told.unwrap(), Recorded::Applied | Recorded::Confirmed)
                    || self.resent.contains(&delivery),
                "an acceptance was not applied"
            );
        }
    }

    async fn leave(&mut self) {
        let reader = address(&format!("reader{}@example.org", self.dice.below(12)));
        self.unsubscribe(&reader).await;
    }

    async fn unsubscribe(&mut self, reader: &EmailAddress) {
        let store = &self.world.store;
        store.unsubscribe(reader, "link", self.clock).await.unwrap();
        self.left.insert(reader.clone());
    }

    /// Everything in hand is forgotten, as with a kill.
    async fn crash(&mut self) {
        self.in_hand.clear();
        self.world.store = Store::open(&self.world.settings, self.clock).await.unwrap();
        self.world.store.recover(self.clock).await.unwrap();
    }

    async fn settle(&mut self) {
        let uncertain = self.world.store.uncertain().await.unwrap();
        let Some(doubt) = self.dice.pick(&uncertain) else {
            return;
        };
        if self.dice.below(2) == 0 {
            self.resent.insert(doubt.id);
            let resent = self.world.store.resend(vec![doubt.id], self.clock).await;
            resent.unwrap();
        } else {
            let marked = self.world.store.mark_sent(vec![doubt.id]).await;
            assert_eq!(marked.unwrap(), 1);
        }
    }

    async fn is_sound(&self) {
        self.world.adds_up().await;
        let counts = self.world.counts(self.issue).await;
        assert_eq!(counts.values().sum::<u64>(), 12);
        let left_in_queue: i64 = self
            .world
            .store
            .read(|connection| {
                Ok(connection.query_row(
                    "SELECT count(*) FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
                      WHERE d.state IN (0, 1) AND s.status <> 0",
                    [],
                    |row| row.get(0),
                )?)
            })
            .await
            .unwrap();
        assert_eq!(left_in_queue, 0, "a reader who left is still queued");
        for (delivery, times) in &self.accepted {
            assert!(
                *times == 1 || self.resent.contains(delivery),
                "{delivery} was accepted {times} times"
            );
        }
    }
}

#[tokio::test]
async fn whatever_happens_nobody_is_lost_and_nobody_gets_it_twice() {
    for seed in 1..=12 {
        let mut life = Life::begin(seed).await;
        for step in 0..120 {
            life.step().await;
            if step % 4 == 0 {
                life.is_sound().await;
            }
        }
        life.is_sound().await;
    }
}
