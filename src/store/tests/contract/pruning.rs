//! Old issues lose their deliveries and keep their sums.

use super::*;
use crate::{
    domain::{
        delivery::Outcome,
        report::{Finding, Report, ReportKind},
    },
    store::{Effect, Fate, InboundMail},
};

fn slot(number: u32) -> String {
    format!("2026-11-{:02}T07:00", number)
}

impl World {
    /// An issue that everybody got at the second try, but for one reader whose
    /// server refused it.
    async fn delivered(&self, number: u32) -> IssueId {
        let freeze = Freeze {
            editions: vec![b"whole".to_vec(), b"a part".to_vec()],
            ..issue(number, &slot(number))
        };
        let frozen = self.freeze(&freeze).await.issue;
        for (place, due) in self.due(now()).await.into_iter().enumerate() {
            let first = self.granted(due.id).await;
            let again = Outcome::Deferred {
                reply: Reply::new(451, "4.7.1 greylisted"),
                retry_at: now(),
            };
            self.store.outcome(first, again, now()).await.unwrap();
            let second = self.granted(due.id).await;
            let end = match place {
                0 => Outcome::Rejected {
                    reply: Reply::new(550, "5.7.1 no"),
                    phase: crate::domain::delivery::Phase::Rcpt,
                    is_hard: false,
                },
                _ => Outcome::Sent(ok()),
            };
            self.store.outcome(second, end, now()).await.unwrap();
        }
        self.store.finish_issues(now()).await.unwrap();
        frozen
    }

    async fn prune_all(&self, keep: u32) -> Vec<(String, u64)> {
        let prunable = self.store.prunable(None, keep).await.unwrap();
        for issue in &prunable {
            let mut removed = 0;
            loop {
                match self.store.prune(issue.id).await.unwrap() {
                    0 => break,
                    more => removed += more,
                }
            }
            assert_eq!(removed, issue.deliveries);
        }
        prunable
            .into_iter()
            .map(|issue| (issue.issue, issue.deliveries))
            .collect()
    }

    async fn rows(&self, table: &'static str) -> i64 {
        let select = format!("SELECT count(*) FROM {table}");
        self.store
            .read(move |tx| Ok(tx.query_row(&select, [], |row| row.get(0))?))
            .await
            .unwrap()
    }
}

fn complaint(id: u8, delivery: DeliveryId) -> InboundMail {
    InboundMail {
        id: [id; 16],
        effect: Some(Effect::Report(Report {
            delivery,
            finding: Finding {
                kind: ReportKind::SoftBounce,
                code: Some((5, 2, 2)),
                reason: "552 5.2.2 full".to_owned(),
            },
        })),
    }
}

#[tokio::test]
async fn a_pruned_issue_keeps_its_sums_and_its_articles_and_nothing_of_its_readers() {
    let world = world().await;
    world.join(5).await;
    let first = world.delivered(1).await;
    let deliveries = world.store.why(&address("reader3@example.org"), None).await;
    let delivery = deliveries.unwrap().deliveries[0].id;
    let fates = world
        .store
        .apply_inbound(vec![complaint(1, delivery)], None, 1, now())
        .await;
    assert_eq!(fates.unwrap().fates, [Fate::Noted(ReportKind::SoftBounce)]);
    world.delivered(2).await;
    world.delivered(3).await;
    let number = |number| crate::store::IssueKey::Number {
        digest: "weekly".to_owned(),
        number,
    };
    let before = world.store.issue(number(1)).await.unwrap().unwrap();
    let editions = world.store.editions(first).await.unwrap();
    let history = world.store.history(&weekly()).await.unwrap();
    let counts = world.store.deliveries_by_state().await.unwrap();

    assert_eq!(
        world.prune_all(1).await,
        [("weekly/1".to_owned(), 5), ("weekly/2".to_owned(), 5)]
    );
    assert_eq!(world.prune_all(1).await, []);
    assert_eq!(world.rows("deliveries").await, 5);
    assert_eq!(world.rows("attempts").await, 10);
    assert_eq!(world.rows("reports").await, 0);
    let after = world.store.issue(number(1)).await.unwrap().unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    assert_eq!(after.reports[&ReportKind::SoftBounce], 1);
    assert_eq!(world.store.editions(first).await.unwrap(), editions);
    assert!(world.store.edition(first, 1).await.unwrap().is_some());
    assert!(world.store.edition(first, 2).await.unwrap().is_none());
    let known = world.store.history(&weekly()).await.unwrap();
    assert_eq!(known.articles, history.articles);
    assert_eq!(known.last_number, history.last_number);
    assert_eq!(world.store.deliveries_by_state().await.unwrap(), counts);

    // Who asks about it is told that it is gone.
    let story = world.store.why(&address("reader3@example.org"), None).await;
    let story = story.unwrap();
    assert_eq!((story.deliveries.len(), story.pruned_issues), (1, 2));
    let late = world
        .store
        .apply_inbound(vec![complaint(2, delivery)], None, 1, now())
        .await;
    assert_eq!(late.unwrap().fates, [Fate::Unknown]);
    world.adds_up().await;
    let next = world.delivered(4).await;
    assert!(next > first);
    world.adds_up().await;
}

#[tokio::test]
async fn what_is_under_way_uncertain_or_newest_stays_whole() {
    let world = world().await;
    world.join(2).await;
    let uncertain = world.freeze(&issue(1, &slot(1))).await.issue;
    for due in world.due(now()).await {
        world.granted(due.id).await;
    }
    world.store.recover(now()).await.unwrap();
    world.store.finish_issues(now()).await.unwrap();
    assert_eq!(world.count(uncertain, State::Uncertain).await, 2);
    world.freeze(&issue(2, &slot(2))).await;
    world.delivered(3).await;
    // Both the deliveries of issue 2 and 3 were delivered; none is open.
    let prunable = world.store.prunable(None, 1).await.unwrap();
    let names: Vec<&str> = prunable.iter().map(|issue| &*issue.issue).collect();
    assert_eq!(names, ["weekly/2"]);
    let other = world.store.prunable(Some("daily".to_owned()), 1).await;
    assert_eq!(other.unwrap(), []);
    assert_eq!(world.store.prunable(None, 3).await.unwrap(), []);
    world.prune_all(1).await;
    assert_eq!(world.store.uncertain().await.unwrap().len(), 2);
    world.adds_up().await;
}

#[tokio::test]
async fn pruning_that_is_interrupted_adds_up_and_goes_on() {
    let world = world().await;
    world.join(4_500).await;
    let first = world.freeze(&issue(1, &slot(1))).await.issue;
    world
        .meddle(
            "INSERT INTO attempts (delivery_id, started_at, ended_at, outcome, code)
                 SELECT id, 0, 0, 1, 250 FROM deliveries ORDER BY id;
             UPDATE deliveries SET state = 3, attempts = 1, attempt_id = id;
             UPDATE issues SET state = 2",
        )
        .await
        .unwrap();
    world.freeze(&issue(2, &slot(2))).await;
    let prunable = world.store.prunable(None, 1).await.unwrap();
    assert_eq!(prunable, [], "its attempts are the newest");
    world.granted(world.first_due().await).await;
    assert_eq!(world.store.prune(first).await.unwrap(), 2_000);
    let left = world.store.prunable(None, 1).await.unwrap();
    assert_eq!(left[0].deliveries, 2_500);
    world.adds_up().await;
    assert_eq!(world.count(first, State::Sent).await, 4_500);
    world.prune_all(1).await;
    assert_eq!(world.count(first, State::Sent).await, 4_500);
    world.adds_up().await;
}
