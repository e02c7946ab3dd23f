//! Loops, floods, and what the ledger holds against itself.

use super::*;
use crate::{
    domain::delivery::Outcome,
    store::{Guarded, IssueKey, Recorded},
};

/// A run that sets out and dies.
async fn dies(world: &World) -> Vec<Guarded> {
    let run = world.begun(1, now()).await;
    world.store.set_out(run).await.unwrap()
}

#[tokio::test]
async fn three_runs_that_died_in_an_issue_pause_it() {
    let (world, issue) = frozen_world(5).await;
    for _ in 0..3 {
        assert_eq!(dies(&world).await, []);
    }
    let paused = dies(&world).await;
    assert_eq!(paused.len(), 1);
    assert_eq!(
        (paused[0].issue.as_str(), paused[0].deliveries),
        ("weekly/1", 5)
    );
    assert!(world.due(now()).await.is_empty());
    let found = world.store.issue(IssueKey::Id(issue)).await.unwrap();
    let reason = found.unwrap().reason.unwrap();
    assert!(
        reason.contains("the last three runs died in it"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_run_that_lives_or_settles_something_breaks_the_loop() {
    let (world, _) = frozen_world(5).await;
    dies(&world).await;
    dies(&world).await;
    let lived = world.begun(1, now()).await;
    world.store.set_out(lived).await.unwrap();
    world.store.end_run(lived, 75, "", now()).await.unwrap();
    dies(&world).await;
    dies(&world).await;
    let attempt = world.granted(world.first_due().await).await;
    let sent = world.store.outcome(attempt, Outcome::Sent(ok()), now());
    sent.await.unwrap();
    assert_eq!(dies(&world).await, []);
    assert_eq!(dies(&world).await, []);
    assert_eq!(dies(&world).await, []);
    assert_eq!(dies(&world).await.len(), 1);
}

/// A run that sets out, dies at the end of its first message, and whose
/// uncertain delivery is counted as sent, by a policy or by hand.
async fn dies_and_is_assumed_to_have_sent(world: &World) -> Vec<Guarded> {
    let paused = dies(world).await;
    if paused.is_empty() {
        world.granted(world.first_due().await).await;
        world.store.recover(now()).await.unwrap();
        let uncertain = world.store.uncertain().await.unwrap();
        let uncertain = uncertain.into_iter().map(|one| one.id).collect();
        assert_eq!(world.store.mark_sent(uncertain).await.unwrap(), 1);
    }
    paused
}

#[tokio::test]
async fn what_is_counted_as_sent_breaks_no_loop() {
    let (world, issue) = frozen_world(5).await;
    for _ in 0..3 {
        assert_eq!(dies_and_is_assumed_to_have_sent(&world).await, []);
    }
    let paused = dies_and_is_assumed_to_have_sent(&world).await;
    assert_eq!(paused[0].deliveries, 2);
    assert_eq!(world.count(issue, State::Sent).await, 3);
    world.adds_up().await;
}

#[tokio::test]
async fn what_another_issue_settles_breaks_no_loop() {
    let (world, _) = frozen_world(5).await;
    let queued = world.due(now()).await;
    world.freeze(&issue(2, "2026-12-04T07:00")).await;
    for _ in 0..3 {
        assert_eq!(dies(&world).await, []);
        let due = world.due(now()).await;
        let other = due.iter().find(|one| one.issue != queued[0].issue).unwrap();
        let attempt = world.granted(other.id).await;
        let sent = world.store.outcome(attempt, Outcome::Sent(ok()), now());
        sent.await.unwrap();
    }
    let paused = dies(&world).await;
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].issue, "weekly/1");
}

#[tokio::test]
async fn what_is_usual_is_the_middle_of_earlier_issues() {
    let world = world().await;
    world.join(1).await;
    let usual = async |expected| {
        let usual = world.store.usual_articles(&weekly()).await.unwrap();
        assert_eq!(usual, expected);
    };
    for (number, articles) in [(1, 12), (2, 3), (3, 2), (4, 3)] {
        usual((number > 3).then_some(3)).await;
        let mut one = issue(number, &format!("2026-11-0{number}T07:00"));
        one.articles = (0..articles)
            .map(|n| FrozenArticle {
                id: article(&format!("{number}-{n}")),
                title: "Soup".to_owned(),
            })
            .collect();
        world.freeze(&one).await;
    }
    usual(Some(3)).await;
}

#[tokio::test]
async fn an_issue_can_be_frozen_on_hold() {
    let world = world().await;
    world.join(2).await;
    let mut held = issue(1, "2026-11-27T07:00");
    held.hold = Some("50 articles, usually 3".to_owned());
    let id = world.freeze(&held).await.issue;
    assert!(world.due(now()).await.is_empty());
    let found = world.store.issue(IssueKey::Id(id)).await.unwrap().unwrap();
    assert_eq!(found.reason, held.hold);
    let resumed = world
        .store
        .change_issue(id, crate::store::IssueChange::Resume, now())
        .await;
    resumed.unwrap();
    assert_eq!(world.due(now()).await.len(), 2);
}

#[tokio::test]
async fn verify_holds_states_against_attempts() {
    let (world, _) = frozen_world(6).await;
    let due = world.due(now()).await;
    world.granted(due[0].id).await;
    world.granted(due[3].id).await;
    world
        .meddle(
            "UPDATE deliveries SET state = 3 WHERE id IN (2, 4);
             UPDATE attempts SET outcome = 4 WHERE id = 1;
             UPDATE deliveries SET attempt_id = 1 WHERE id = 3",
        )
        .await
        .unwrap();
    let findings = world.store.verify().await.unwrap();
    assert_eq!(
        findings,
        [
            "issue 1: delivery 1 is inflight, but its attempt 1 says otherwise",
            "issue 1: delivery 2 is sent, but it has no attempt",
            "issue 1: delivery 3 is queued, but its attempt 1 says otherwise",
            "issue 1: delivery 4 is sent, but its attempt 2 says otherwise",
        ]
    );
}

#[tokio::test]
async fn a_second_copy_that_was_taken_after_all_is_told_as_late_accept() {
    let (world, _) = frozen_world(1).await;
    let delivery = world.due(now()).await.remove(0);
    let first = world.granted(delivery.id).await;
    world.store.recover(now()).await.unwrap();
    world
        .store
        .resend(vec![delivery.id], later(20))
        .await
        .unwrap();
    let second = world.granted(delivery.id).await;
    for (attempt, recorded) in [(second, Recorded::Applied), (first, Recorded::Duplicate)] {
        let told = world.store.outcome(attempt, Outcome::Sent(ok()), later(21));
        assert_eq!(told.await.unwrap(), recorded);
    }
    assert_eq!(world.store.duplicates().await.unwrap(), [delivery.id]);
    let story = world.store.why(&delivery.address, None).await.unwrap();
    let attempts: Vec<_> = story.deliveries[0]
        .attempts
        .iter()
        .map(|attempt| (attempt.id, attempt.outcome))
        .collect();
    assert_eq!(
        attempts,
        [(first, Some("late-accept")), (second, Some("sent"))]
    );
    world.adds_up().await;
}
