//! How drains end: the relay is away or refuses, an issue is held, the caller
//! says stop.

use tokio::{sync::Notify, time::timeout};

use super::*;

fn why(report: &Report) -> Option<Why> {
    report.ending.as_ref().map(|ending| ending.why)
}

#[tokio::test]
async fn a_relay_that_is_away_is_given_up_and_nobody_pays_for_it() {
    let mut world = World::new(readers(5), usual).await;
    // A port that was free a moment ago: nobody listens.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.settings = settings(closed.local_addr().unwrap().port());
    drop(closed);
    let report = world.drain().await;
    assert_eq!(why(&report), Some(Why::RelayAway));
    assert_eq!(world.counts().await, BTreeMap::from([(State::Queued, 5)]));
    assert_eq!(world.counted_attempts().await, 0);
}

#[tokio::test]
async fn a_relay_that_asks_for_patience_gets_it_and_then_everything() {
    let mut world = World::new(readers(30), |asked| match asked.phase {
        Phase::Mail if asked.before < 3 => Answer::Say("421 4.3.2 busy"),
        _ => Answer::Usual,
    })
    .await;
    world.settings.relay_patience = Duration::from_secs(15);
    let report = world.drain().await;
    assert_eq!((report.sent, report.ending), (30, None));
    world.nobody_twice();
}

#[tokio::test]
async fn a_relay_that_refuses_everybody_harms_nobody() {
    let world = World::new(readers(40), |asked| match asked.phase {
        Phase::Rcpt => Answer::Say("554 5.7.1 relay access denied"),
        _ => Answer::Usual,
    })
    .await;
    let report = world.drain().await;
    assert_eq!(why(&report), Some(Why::Refused));
    assert_eq!((report.rejected, report.suppressed), (0, 0));
    assert_eq!(world.counts().await, BTreeMap::from([(State::Queued, 40)]));
    assert_eq!(world.counted_attempts().await, 0);
}

#[tokio::test]
async fn a_refused_content_or_sender_holds_the_issue() {
    for (phase, words, expected) in [
        (Phase::Dot, "554 5.7.1 looks like spam", Why::Content),
        (Phase::Dot, "552 5.3.4 too big", Why::Content),
        (Phase::Mail, "553 5.1.8 who are you", Why::Sender),
    ] {
        let world = World::new(readers(40), move |asked| {
            if asked.phase == phase {
                Answer::Say(words)
            } else {
                Answer::Usual
            }
        })
        .await;
        let report = world.drain().await;
        assert_eq!(report.paused.len(), 1, "{words}: {report:?}");
        assert_eq!(report.paused[0].why, expected);
        assert_eq!(report.rejected, 0);
        assert_eq!(world.counts().await, BTreeMap::from([(State::Queued, 40)]));
        let key = IssueKey::Id(world.issue);
        let issue = world.store.issue(key).await.unwrap().unwrap();
        assert!(issue.reason.unwrap().contains(&words[..9]));
    }
}

#[tokio::test]
async fn a_drain_ends_when_the_time_of_its_issue_does() {
    let passed: Arc<AtomicI64> = Arc::default();
    let clock = Arc::clone(&passed);
    let mut world = World::new(readers(10), move |asked| {
        if asked.phase == Phase::Dot && asked.to.starts_with("reader4@") {
            clock.store(3600, Ordering::SeqCst);
        }
        Answer::Usual
    })
    .await;
    world.passed = passed;
    let report = world.drain().await;
    assert_eq!((report.sent, report.ending), (5, None));
    assert_eq!(world.counts().await[&State::Queued], 5);
    assert!(world.relay.asked(Phase::Rcpt) <= 7, "asked again and again");
}

#[tokio::test]
async fn an_issue_called_off_is_not_asked_for_any_more() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let world = World::new(readers(50), move |asked| match asked.phase {
        Phase::Dot => Answer::After(Arc::clone(&held)),
        _ => Answer::Usual,
    })
    .await;
    let (report, ()) = tokio::join!(world.drain(), async {
        world.relay.wait_for(Phase::Dot, 1).await;
        let cancel = world
            .store
            .change_issue(world.issue, IssueChange::Cancel, morning());
        cancel.await.unwrap();
        go.notify_one();
    });
    assert_eq!(report.sent, 1);
    let expected = BTreeMap::from([(State::Sent, 1), (State::Cancelled, 49)]);
    assert_eq!(world.counts().await, expected);
    assert!(world.relay.asked(Phase::Rcpt) <= 3, "asked again and again");
}

#[tokio::test]
async fn an_answer_that_comes_after_a_resend_is_told_as_a_second_copy() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let world = World::new(readers(1), move |asked| match asked.phase {
        Phase::Dot => Answer::After(Arc::clone(&held)),
        _ => Answer::Usual,
    })
    .await;
    let mut due = world
        .store
        .due(
            crate::store::Scope::Everything,
            2,
            morning(),
            Default::default(),
        )
        .await
        .unwrap();
    let delivery = due.remove(0);
    let (report, newest) = tokio::join!(world.drain(), async {
        world.relay.wait_for(Phase::Dot, 1).await;
        // Somebody else took this run for dead, and sent the message again.
        let store = &world.store;
        store.recover(morning()).await.unwrap();
        store.resend(vec![delivery.id], morning()).await.unwrap();
        let Intent::Granted(newest) = store.intent(delivery.id, morning()).await.unwrap() else {
            panic!("the intent was refused")
        };
        let sent = Outcome::Sent(Reply::new(250, "2.0.0 taken"));
        store.outcome(newest, sent, morning()).await.unwrap();
        go.notify_one();
        newest
    });
    let [late] = &report.late[..] else {
        panic!("{report:?}")
    };
    assert_eq!((late.delivery, late.newest), (delivery.id, newest));
    assert_eq!((late.digest.as_str(), late.number), ("weekly", 1));
    assert!(late.attempt < newest);
    let told_again = world.drain().await;
    assert_eq!(told_again.late, [], "it is told once, and then by `status`");
    let twice = world.store.duplicates().await.unwrap();
    assert_eq!(twice, [delivery.id]);
}

#[tokio::test]
async fn stop_lets_the_message_under_way_finish_and_begins_none() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let world = World::new(readers(50), move |asked| match asked.phase {
        Phase::Dot => Answer::After(Arc::clone(&held)),
        _ => Answer::Usual,
    })
    .await;
    let (report, ()) = tokio::join!(world.drain(), async {
        world.relay.wait_for(Phase::Dot, 1).await;
        world.say_stop.send_replace(Stop::Gracefully);
        go.notify_one();
    });
    assert_eq!((report.sent, why(&report)), (1, Some(Why::Stopped)));
    let expected = BTreeMap::from([(State::Queued, 49), (State::Sent, 1)]);
    assert_eq!(world.counts().await, expected);
}

#[tokio::test]
async fn stop_does_not_wait_for_a_relay_that_says_nothing() {
    let world = World::new(readers(3), |asked| match asked.phase {
        Phase::Connect => Answer::Silence,
        _ => Answer::Usual,
    })
    .await;
    let stopping = async {
        world.relay.wait_for(Phase::Connect, 1).await;
        world.say_stop.send_replace(Stop::Gracefully);
    };
    // The greeting alone would be waited for three times as long.
    let both = async { tokio::join!(world.drain(), stopping).0 };
    let report = timeout(Duration::from_secs(3), both).await.unwrap();
    assert_eq!(why(&report), Some(Why::Stopped));
    assert_eq!(world.counts().await, BTreeMap::from([(State::Queued, 3)]));
}

#[tokio::test]
async fn stop_does_not_wait_for_the_breaker_or_the_rate() {
    let world = World::new(readers(3), |asked| match asked.phase {
        Phase::Connect => Answer::Say("421 4.3.2 not now"),
        _ => Answer::Usual,
    })
    .await;
    let mut slow = world.outbox().await;
    slow.settings.relay_patience = Duration::from_secs(600);
    let stopping = async {
        world.relay.wait_for(Phase::Connect, 1).await;
        world.say_stop.send_replace(Stop::Gracefully);
    };
    let both = async { tokio::join!(world.run(slow), stopping).0 };
    let report = timeout(Duration::from_secs(3), both).await.unwrap();
    assert_eq!(why(&report), Some(Why::Stopped));

    let world = World::new(readers(3), usual).await;
    let mut slow = world.outbox().await;
    slow.settings.relays[0].rate = Some(crate::config::settings::Rate {
        count: 1.try_into().unwrap(),
        per: Duration::from_secs(3600),
    });
    let stopping = async {
        world.relay.wait_for(Phase::Dot, 1).await;
        world.say_stop.send_replace(Stop::Gracefully);
    };
    let both = async { tokio::join!(world.run(slow), stopping).0 };
    let report = timeout(Duration::from_secs(3), both).await.unwrap();
    assert_eq!((report.sent, why(&report)), (1, Some(Why::Stopped)));
}
