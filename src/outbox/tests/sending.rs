//! What becomes of single deliveries and sessions.

use tokio::sync::Notify;

use super::{
    super::{asked::FRESH, issues::Issues},
    *,
};

#[tokio::test]
async fn everybody_gets_one_message_over_a_few_sessions() {
    for is_pipelining in [true, false] {
        let world = World::with(is_pipelining, readers(100), usual).await;
        let report = world.drain().await;
        assert_eq!((report.sent, report.ending), (100, None));
        assert_eq!(world.relay.taken().len(), 100);
        world.nobody_twice();
        assert!(world.relay.sessions() <= 3, "{}", world.relay.sessions());
        assert_eq!(world.drain().await, Report::default());
    }
}

#[tokio::test]
async fn who_is_refused_costs_the_others_nothing() {
    for is_pipelining in [true, false] {
        let odd = ["gone", "full", "grey", "odd"].map(|name| format!("{name}@d1.example.org"));
        let world = World::with(is_pipelining, odd.into_iter().chain(readers(20)), |asked| {
            let name = asked.to.split('@').next().unwrap_or_default();
            match (asked.phase, name) {
                (Phase::Rcpt, "gone") => Answer::Say("550 5.1.1 no such person"),
                (Phase::Rcpt, "full") => Answer::Say("552 5.2.2 mailbox full"),
                (Phase::Dot, "grey") => Answer::Say("451 4.7.1 greylisted"),
                (Phase::Rcpt, "odd") => Answer::Say("550 not you"),
                _ => Answer::Usual,
            }
        })
        .await;
        let report = world.drain().await;
        assert_eq!((report.sent, report.deferred), (20, 2));
        assert_eq!((report.rejected, report.suppressed), (2, 1));
        assert_eq!(report.ending, None);
        assert!(world.relay.sessions() <= 3);
        world.nobody_twice();
    }
}

#[tokio::test]
async fn a_message_without_an_answer_is_uncertain_and_never_sent_again() {
    for is_pipelining in [true, false] {
        let world = World::with(is_pipelining, readers(10), |asked| match asked {
            Asked {
                phase: Phase::Dot,
                to,
                ..
            } if to.starts_with("reader3@") => Answer::TakeAndClose,
            Asked {
                phase: Phase::Dot,
                to,
                ..
            } if to.starts_with("reader5@") => Answer::Say("354 go on"),
            Asked {
                phase: Phase::Dot,
                to,
                ..
            } if to.starts_with("reader7@") => Answer::Say("503 5.5.1 out of step"),
            _ => Answer::Usual,
        })
        .await;
        let report = world.drain().await;
        assert_eq!((report.sent, report.uncertain), (7, 3));
        assert_eq!(world.drain().await, Report::default());
        assert_eq!(world.counts().await[&State::Uncertain], 3);
        world.nobody_twice();
    }
}

#[tokio::test]
async fn the_answer_to_the_dot_has_its_own_time_limit() {
    let mut world = World::new(readers(2), |asked| match asked {
        Asked {
            phase: Phase::Dot,
            to,
            ..
        } if to.starts_with("reader0@") => Answer::Silence,
        _ => Answer::Usual,
    })
    .await;
    world.settings.timeouts.dot = Duration::from_millis(200);
    let report = world.drain().await;
    assert_eq!((report.sent, report.uncertain), (1, 1));
    let uncertain = world.store.uncertain().await.unwrap();
    assert!(
        uncertain[0].reason.contains("200ms"),
        "{}",
        uncertain[0].reason
    );
}

#[tokio::test]
async fn what_was_cut_before_the_dot_is_sent_again_uncounted() {
    for is_pipelining in [true, false] {
        let world = World::with(is_pipelining, readers(10), |asked| match asked.phase {
            Phase::Rcpt | Phase::Data if asked.before == 0 => Answer::Close,
            _ => Answer::Usual,
        })
        .await;
        // Each is cut twice: relay and readers are well all the same.
        let report = world.drain().await;
        assert_eq!(report.uncertain, 0);
        assert_eq!(report.rejected + report.failed, 0);
        assert_eq!(world.counted_attempts().await, 0);
        world.nobody_twice();
    }
}

#[tokio::test]
async fn a_session_that_was_closed_while_idle_is_replaced_without_a_word() {
    let world = World::new(readers(12), |asked| match asked {
        // Every session says goodbye, with its answer, after two messages.
        Asked {
            phase: Phase::Dot,
            before: 0,
            to,
            ..
        } if to.starts_with("reader1@") || to.starts_with("reader5@") => {
            Answer::Say("250 2.0.0 taken\r\n421 4.4.2 enough")
        }
        _ => Answer::Usual,
    })
    .await;
    let report = world.drain().await;
    assert_eq!((report.sent, report.uncertain, report.deferred), (12, 0, 0));
    world.nobody_twice();
    assert_eq!(world.relay.sessions(), 3);
}

#[tokio::test]
async fn an_answer_given_too_early_is_not_taken_for_the_answer_to_the_message() {
    let world = World::new(readers(1), |asked| match asked.phase {
        Phase::Data => Answer::Say("354 go ahead\r\n250 2.0.0 taken"),
        Phase::Dot => Answer::Say("554 5.6.0 not taken"),
        _ => Answer::Usual,
    })
    .await;
    let report = world.drain().await;
    assert_eq!((report.sent, report.uncertain), (0, 0));
    assert_eq!(world.relay.taken().len(), 0);
}

#[tokio::test]
async fn a_delivery_that_ends_every_session_waits_and_the_others_go_on() {
    for is_pipelining in [true, false] {
        let world = World::with(is_pipelining, readers(20), |asked| match asked {
            Asked {
                phase: Phase::Data,
                to,
                ..
            } if to.starts_with("reader2@") => Answer::Close,
            _ => Answer::Usual,
        })
        .await;
        let report = world.drain().await;
        assert_eq!((report.sent, report.deferred), (19, 1));
        assert_eq!(report.ending, None);
    }
}

#[tokio::test]
async fn a_panic_over_one_delivery_costs_that_one_only() {
    let world = World::new(readers(5), |asked| match asked {
        Asked {
            phase: Phase::Dot,
            to,
            ..
        } if to.starts_with("reader2@") => Answer::Say("451 4.3.0 later"),
        _ => Answer::Usual,
    })
    .await;
    let mut outbox = world.outbox().await;
    outbox.chance = Arc::new(|| panic!("no chance at all"));
    let report = world.run(outbox).await;
    assert_eq!((report.sent, report.uncertain), (4, 1));
    world.nobody_twice();
}

#[tokio::test]
async fn what_a_relay_refuses_in_the_middle_of_a_group_goes_to_nobody() {
    let world = World::new(readers(40), |asked| match asked.phase {
        Phase::Rcpt if asked.to.starts_with("reader1") => Answer::Say("550 5.1.1 who"),
        Phase::Data if asked.to.starts_with("reader2@") && asked.before == 0 => {
            Answer::Say("451 4.3.0 not now")
        }
        _ => Answer::Usual,
    })
    .await;
    let report = world.drain().await;
    assert_eq!((report.sent, report.rejected), (29, 11));
    assert_eq!(report.ending, None);
    world.nobody_twice();
    let taken = world.relay.taken();
    assert!(
        taken.keys().all(|to| !to.starts_with("reader1")),
        "{taken:?}"
    );
    assert!(world.relay.sessions() <= 3, "{}", world.relay.sessions());
}

#[tokio::test]
async fn a_relay_that_closes_after_each_message_costs_sessions_and_nobody() {
    let world = World::new(readers(30), |asked| match asked.phase {
        Phase::Mail if asked.before % 2 == 1 => Answer::Close,
        _ => Answer::Usual,
    })
    .await;
    let report = world.drain().await;
    assert_eq!((report.sent, report.uncertain), (30, 0));
    world.nobody_twice();
}

#[tokio::test]
async fn who_leaves_after_the_relay_was_told_of_them_gets_nothing() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let mut world = World::new(readers(3), move |asked| match asked.phase {
        Phase::Dot if asked.to.starts_with("reader1@") => Answer::After(Arc::clone(&held)),
        _ => Answer::Usual,
    })
    .await;
    world.settings.relays[0].connections = 1;
    let (report, ()) = tokio::join!(world.drain(), async {
        // The relay has heard of the third with the end of the second.
        world.relay.wait_for(Phase::Dot, 2).await;
        let left = "reader2@d2.example.org".parse().unwrap();
        world
            .store
            .unsubscribe(&left, "test", morning())
            .await
            .unwrap();
        // An intent that was asked for ahead does not hold for so long.
        tokio::time::sleep(FRESH * 2).await;
        go.notify_one();
    });
    assert_eq!((report.sent, report.uncertain), (2, 0));
    assert_eq!(world.relay.asked(Phase::Rcpt), 3);
    assert_eq!(world.relay.taken().len(), 2);
    let expected = BTreeMap::from([(State::Sent, 2), (State::Cancelled, 1)]);
    assert_eq!(world.counts().await, expected);
}

#[tokio::test]
async fn an_issue_is_measured_by_its_largest_message_that_somebody_gets() {
    let world = World::new(readers(1), usual).await;
    let issues = Issues::new(world.store.clone(), None);
    let signer = Signer::new(&[3; 32]);
    let of = |most| issues.larger_than(most, world.issue, &signer);
    let largest = of(1).await.unwrap().unwrap();
    assert_eq!(of(largest - 1).await.unwrap(), Some(largest));
    assert_eq!(of(largest).await.unwrap(), None);
    assert_eq!(of(usize::MAX).await.unwrap(), None);
    // Known by now, and asked of another relay.
    assert_eq!(of(largest - 1).await.unwrap(), Some(largest));
    let nobodys = issues.larger_than(1, world.issue + 1, &signer);
    assert_eq!(nobodys.await.unwrap(), None);
}
