//! What a command tells while it delivers: how far it is, relays that do not
//! serve, a database that is away, a lease that was lost.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::{Context, right::Right, talk::count, watch::Watch};
use crate::{
    outbox::{Enlistment, Monitor, Waiting},
    store::{Health, Store},
};

/// A database that is back within so long is not worth a word.
const HICCUP: Duration = Duration::from_secs(1);
/// And within so long, while relays have said nothing that must be kept.
const LONG: Duration = Duration::from_secs(4);
/// How often one looks.
const LOOK: Duration = Duration::from_millis(200);

/// What people were told of the database.
#[derive(Default)]
struct Vigil {
    away_since: Option<Instant>,
    is_told: bool,
}

impl Vigil {
    /// What a person must know by now and was not told yet.
    fn look(&mut self, store: &Store, enlistment: &Enlistment) -> Vec<String> {
        let mut news: Vec<String> = enlistment.take_lost().iter().map(lost).collect();
        let asserted = store.take_asserted();
        if asserted > 0 {
            let attempts = count(asserted, "attempt");
            news.push(format!("timeline changed; re-asserting {attempts}"));
        }
        let is_well = *store.health().borrow() == Health::Well;
        match (is_well, self.away_since) {
            (true, _) => *self = Self::default(),
            (false, None) => self.away_since = Some(Instant::now()),
            (false, Some(since)) if !self.is_told => {
                let kept = store.outcomes_kept();
                let patience = if kept > 0 { HICCUP } else { LONG };
                if since.elapsed() >= patience {
                    self.is_told = true;
                    let kept = count(kept, "outcome");
                    news.push(format!("database away, {kept} kept, waiting"));
                }
            }
            (false, Some(_)) => {}
        }
        news
    }
}

/// Does `work`, and tells meanwhile of a database that is away and of a lease that
/// was lost.
pub async fn vigilantly<T>(
    context: &Context,
    store: &Store,
    enlistment: &Enlistment,
    work: impl Future<Output = T>,
) -> T {
    let mut vigil = Vigil::default();
    let mut tell = || {
        for news in vigil.look(store, enlistment) {
            context.talk.must_say(news);
        }
    };
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            () = tokio::time::sleep(LOOK) => tell(),
        }
    };
    tell();
    done
}

fn lost(lost: &crate::outbox::LostLease) -> String {
    let dropped = count(lost.dropped, "claim");
    format!("lost my lease (epoch {}), dropped {dropped}", lost.epoch)
}

/// A bar on a terminal, a line now and then elsewhere, and the lock's note.
pub async fn watch(
    context: &Context,
    store: &Store,
    monitor: &Monitor,
    right: &mut Right,
    total: u64,
) {
    let mut watch = Watch::default();
    let bar = if total > 0 {
        context.talk.bar("sending", total)
    } else {
        ProgressBar::hidden()
    };
    let plain = context.talk.plain_interval();
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut last_line = tokio::time::Instant::now();
    let mut told: Vec<Waiting> = Vec::new();
    loop {
        ticks.tick().await;
        let tally = monitor.tally();
        let settled = tally.settled();
        bar.set_position(settled);
        bar.set_message(format!(
            "{} deferred, {} uncertain",
            tally.deferred(),
            tally.uncertain()
        ));
        right.progress(settled, total, context.clock.machine_time());
        if let Some(warning) = watch.look(context, store) {
            bar.suspend(|| context.talk.must_say(warning));
        }
        let waiting = monitor.waiting();
        for away in &waiting {
            let is_news = |old: &Waiting| old.relay != away.relay || old.reason != away.reason;
            if told.iter().all(is_news) {
                bar.suspend(|| {
                    context.talk.say(format!(
                        "relay {} does not serve ({}); next try in {} s",
                        away.relay,
                        away.reason,
                        away.next_try_in.as_secs()
                    ));
                });
            }
        }
        told = waiting;
        if plain.is_some_and(|every| last_line.elapsed() >= every) {
            last_line = tokio::time::Instant::now();
            context.talk.say(format!(
                "sending: {settled} of {total}, {} deferred, {} uncertain",
                tally.deferred(),
                tally.uncertain()
            ));
        }
    }
}
