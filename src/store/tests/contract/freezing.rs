//! An issue is frozen whole, once, and settles what it says it settles.

use super::*;
use crate::{
    domain::{
        choice::{Choice, LeftOut},
        issue::Past,
    },
    store::{Chosen, IssueKey, SlotFate, SuppressionReason},
};

fn slot(text: &str) -> crate::domain::schedule::Slot {
    text.parse().unwrap()
}

#[tokio::test]
async fn everyone_is_either_queued_or_excluded_with_a_reason() {
    let world = world().await;
    world.join(5).await;
    let readers = vec![
        reader("pending@example.org", Status::Pending),
        reader("gone@example.org", Status::Unsubscribed),
        reader("bounced1@example.org", Status::Bounced),
        reader("bounced2@example.org", Status::Bounced),
    ];
    world
        .store
        .add(readers, "test", now(), false)
        .await
        .unwrap();
    // Active and suppressed at once comes from an older ledger or another hand.
    world
        .store
        .suppress(
            &address("reader4@example.org"),
            SuppressionReason::Request,
            "test",
            now(),
        )
        .await
        .unwrap();
    world
        .meddle("UPDATE subscribers SET status = 0 WHERE address = 'reader4@example.org'")
        .await
        .unwrap();

    let frozen = world.freeze(&issue(1, "2026-11-27T07:00")).await;
    assert_eq!((frozen.candidates, frozen.queued), (9, 4));
    let exclusions: Vec<(&str, u64)> = frozen
        .exclusions
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        exclusions,
        [
            ("bounced", 2),
            ("pending", 1),
            ("suppressed", 1),
            ("unsubscribed", 1)
        ]
    );
    let summary = world
        .store
        .issue(IssueKey::Id(frozen.issue))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(summary.exclusions, frozen.exclusions);
    assert_eq!(summary.counts[&State::Queued], 4);
    assert_eq!(summary.articles[0].title, "Five soups");
    let by_number = IssueKey::Number {
        digest: "weekly".to_owned(),
        number: 1,
    };
    assert_eq!(
        world.store.issue(by_number).await.unwrap().unwrap().id,
        frozen.issue
    );
    world.adds_up().await;
}

#[tokio::test]
async fn an_issue_keeps_the_edition_and_the_addresses_of_that_moment() {
    let (world, id) = frozen_world(2).await;
    world
        .meddle("UPDATE subscribers SET address = 'other@example.net', name = 'Other'")
        .await
        .unwrap();
    let due = world.due(now()).await;
    assert_eq!(due[0].address.expose(), "reader0@example.org");
    assert_eq!(due[0].name.as_deref(), Some("Thandi"));
    let edition = world.store.edition(id, 1).await.unwrap().unwrap();
    assert_eq!(edition.bytes, b"edition");
    assert_eq!((edition.number, edition.digest.as_str()), (1, "weekly"));
    assert_eq!(edition.subject, "Five soups and 2 more");
    assert_eq!(edition.sender.address.expose(), "news@magazine.example.org");
    assert_eq!(edition.expire_at, now() + TimeDelta::hours(72));
}

#[tokio::test]
async fn one_occasion_is_frozen_once_however_many_ask() {
    let world = world().await;
    world.join(10).await;
    let rival = Store::open(&world.settings, now()).await.unwrap();
    let asking: Vec<_> = (0..20)
        .map(|n| {
            let store = if n % 2 == 0 { &world.store } else { &rival };
            let store = store.clone();
            tokio::spawn(async move { store.freeze(issue(1, "2026-11-27T07:00"), now()).await })
        })
        .collect();
    let (mut frozen, mut already) = (0, 0);
    for asked in asking {
        match asked.await.unwrap().unwrap() {
            FreezeOutcome::Frozen(_) => frozen += 1,
            FreezeOutcome::AlreadyFrozen { number: 1, .. } => already += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((frozen, already), (1, 19));
    assert_eq!(world.due(now()).await.len(), 10);
    world.adds_up().await;
}

#[tokio::test]
async fn a_plan_that_the_ledger_overtook_is_refused() {
    let (world, _) = frozen_world(1).await;
    let mut same_article = issue(2, "2026-12-04T07:00");
    same_article.articles = issue(1, "2026-11-27T07:00").articles;
    for outdated in [
        issue(1, "2026-12-04T07:00"),
        issue(3, "2026-12-04T07:00"),
        issue(2, "2026-11-20T07:00"),
        same_article,
    ] {
        let outcome = world.store.freeze(outdated, now()).await.unwrap();
        assert!(
            matches!(outcome, FreezeOutcome::Outdated { .. }),
            "{outcome:?}"
        );
    }
    assert_eq!(world.store.issues(10).await.unwrap().len(), 1);
    world.freeze(&issue(2, "2026-12-04T07:00")).await;
    world.adds_up().await;
}

#[tokio::test]
async fn history_tells_what_was_carried_and_where_the_cursor_is() {
    let world = world().await;
    let empty = world.store.history(&weekly()).await.unwrap();
    assert_eq!((empty.last_number, empty.cursor), (0, None));
    let mut first = issue(1, "2026-11-27T07:00");
    first.passed_over = vec![article("old")];
    first.missed = vec![slot("2026-11-13T07:00")];
    first.caught_up = vec![slot("2026-11-20T07:00")];
    world.freeze(&first).await;
    let history = world.store.history(&weekly()).await.unwrap();
    assert_eq!(history.last_number, 1);
    assert_eq!(history.cursor, Some(slot("2026-11-27T07:00")));
    assert_eq!(history.articles[&article("article-1")], Past::Carried(1));
    assert_eq!(history.articles[&article("old")], Past::PassedOver);

    let skipped = vec![slot("2026-12-04T07:00")];
    world
        .store
        .record_slots(
            &weekly(),
            skipped,
            SlotFate::Skipped,
            "no new articles",
            now(),
        )
        .await
        .unwrap();
    // Going over an older slot again does not move the cursor back.
    let old = vec![slot("2026-11-13T07:00")];
    world
        .store
        .record_slots(&weekly(), old, SlotFate::Missed, "too late", now())
        .await
        .unwrap();
    let history = world.store.history(&weekly()).await.unwrap();
    assert_eq!(history.cursor, Some(slot("2026-12-04T07:00")));
    let other = world
        .store
        .history(&"daily".parse().unwrap())
        .await
        .unwrap();
    assert!(other.articles.is_empty() && other.cursor.is_none());
}

#[tokio::test]
async fn a_freeze_that_fails_leaves_no_trace() {
    let world = world().await;
    world.join(3).await;
    let mut twice = issue(1, "2026-11-27T07:00");
    twice.articles.push(twice.articles[0].clone());
    let error = world.store.freeze(twice, now()).await.unwrap_err();
    assert_eq!(error.class(), crate::store::ErrorClass::Internal);
    assert!(world.store.issues(10).await.unwrap().is_empty());
    assert!(world.due(now()).await.is_empty());
    assert_eq!(world.store.history(&weekly()).await.unwrap().last_number, 0);
    world.freeze(&issue(1, "2026-11-27T07:00")).await;
    world.adds_up().await;
}

#[tokio::test]
async fn readers_who_join_later_get_the_next_issue() {
    let (world, id) = frozen_world(2).await;
    world
        .store
        .add(
            vec![reader("late@example.org", Status::Active)],
            "test",
            now(),
            false,
        )
        .await
        .unwrap();
    assert_eq!(world.count(id, State::Queued).await, 2);
    let next = world.freeze(&issue(2, "2026-12-04T07:00")).await;
    assert_eq!(next.queued, 3);
}

/// Readers who chose, and what the store calls their choices.
async fn with_choices(world: &World, choices: &[&str]) -> Vec<Chosen> {
    let readers = choices
        .iter()
        .enumerate()
        .map(|(n, choice)| NewSubscriber {
            choice: choice.parse().unwrap(),
            ..reader(&format!("chooser{n}@example.org"), Status::Active)
        })
        .collect();
    world
        .store
        .add(readers, "import list.csv", now(), false)
        .await
        .unwrap();
    world.store.choices().await.unwrap()
}

#[tokio::test]
async fn each_reader_gets_the_edition_of_their_choice_or_is_counted_as_left_out() {
    let world = world().await;
    let chosen = with_choices(
        &world,
        &[
            "",
            "sections=food",
            "sections=food",
            "sections=home",
            "digests=daily",
        ],
    )
    .await;
    let readers: Vec<(String, u64)> = chosen
        .iter()
        .map(|chosen| (chosen.choice.to_string(), chosen.readers))
        .collect();
    assert_eq!(
        readers,
        [
            ("sections=food", 2),
            ("", 1),
            ("digests=daily", 1),
            ("sections=home", 1)
        ]
        .map(|(choice, readers)| (choice.to_owned(), readers))
    );
    let suppressed = address("chooser2@example.org");
    world
        .store
        .suppress(&suppressed, SuppressionReason::HardBounce, "test", now())
        .await
        .unwrap();
    let shares = chosen.iter().map(|chosen| Share {
        choice: chosen.id,
        edition: match chosen.choice.to_string().as_str() {
            "" => Ok(1),
            "sections=food" => Ok(2),
            "sections=home" => Err(LeftOut::NothingChosen),
            _ => Err(LeftOut::OtherDigests),
        },
    });
    let freeze = Freeze {
        editions: vec![b"whole".to_vec(), b"food".to_vec()],
        shares: shares.collect(),
        ..issue(1, "2026-11-27T07:00")
    };
    let frozen = world.freeze(&freeze).await;
    assert_eq!((frozen.candidates, frozen.queued), (5, 2));
    let left_out: Vec<(&str, u64)> = frozen
        .exclusions
        .iter()
        .map(|(reason, number)| (reason.as_str(), *number))
        .collect();
    assert_eq!(
        left_out,
        [
            ("bounced", 1),
            ("get other digests only", 1),
            ("nothing they chose", 1)
        ]
    );
    let due: Vec<(String, u32)> = world
        .due(now())
        .await
        .into_iter()
        .map(|delivery| (delivery.address.expose().to_owned(), delivery.edition))
        .collect();
    assert_eq!(
        due,
        [("chooser0@example.org", 1), ("chooser1@example.org", 2)]
            .map(|(address, edition)| (address.to_owned(), edition))
    );
    let food = world.store.edition(frozen.issue, 2).await.unwrap().unwrap();
    assert_eq!(food.bytes, b"food");
    let editions = world.store.editions(frozen.issue).await.unwrap();
    let numbers: Vec<(u32, u64, u64)> = editions
        .iter()
        .map(|edition| (edition.number, edition.readers, edition.bytes))
        .collect();
    assert_eq!(numbers, [(1, 1, 5), (2, 1, 4)]);
    world.adds_up().await;
    world
        .meddle("DELETE FROM editions WHERE number = 2")
        .await
        .unwrap();
    assert_eq!(
        world.store.verify().await.unwrap(),
        ["issue 1: edition 2 of 1 deliveries is not there"]
    );
}

#[tokio::test]
async fn a_choice_made_after_the_plan_is_not_guessed_at() {
    let world = world().await;
    with_choices(&world, &[""]).await;
    let anna = address("chooser0@example.org");
    let choice: Choice = "tags=soup".parse().unwrap();
    let choose = || world.store.choose(&anna, choice.clone(), "page", now());
    assert!(choose().await.unwrap());
    assert!(!choose().await.unwrap(), "it was so before");
    let outcome = world
        .store
        .freeze(issue(1, "2026-11-27T07:00"), now())
        .await;
    assert_eq!(outcome.unwrap(), FreezeOutcome::NewChoice);
    let story = world.store.why(&anna, None).await.unwrap();
    assert_eq!(story.subscriber.unwrap().choice, choice);
    assert_eq!(story.events.last().unwrap().what, "chose tags=soup");
}
