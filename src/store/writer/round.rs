//! What the writer does before it looks anew: a group, those who leave, and at most
//! one thing more.

use std::{
    iter, slice,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    thread,
    time::Duration,
};

use super::{Request, Work, group::Grouped};
use crate::store::departures::Leaver;

/// For so long outcomes, and intents that were asked for ahead, wait for others: a
/// commit costs the same for one message as for all. To be woken by each that comes
/// would cost more than to look now and then; the shortest sleep there is takes some
/// 50 µs on Linux, less than a commit.
const PAUSES: [Duration; 8] = {
    let [shortest, short] = [Duration::from_micros(1), Duration::from_micros(100)];
    [shortest, shortest, short, short, short, short, short, short]
};
/// So many intents make a commit worth while.
const ENOUGH: usize = 6;
/// With so many in so short a time, the others are near: until then nobody else is
/// kept from the database.
const PROMISING: usize = 3;

/// Whether a round waits for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It takes what is at hand: where nobody asks ahead, somebody waits for it.
    AtHand,
    /// Until somebody waits for an answer, or there is enough.
    Brief,
}

/// One round.
pub(super) struct Round<'r> {
    first: Option<Request>,
    receiver: &'r Receiver<Request>,
    patience: Patience,
    /// Set when somebody waits for an intent that was asked for ahead.
    waited_for: Arc<AtomicBool>,
    /// Somebody can do nothing before they are answered.
    is_waited_for: bool,
    /// How many intents were asked for ahead.
    ahead: usize,
    pauses: slice::Iter<'static, Duration>,
    rest: Rest,
}

/// What is left of a round after its group.
#[derive(Default)]
pub(super) struct Rest {
    /// Who leaves.
    pub(super) leavers: Vec<Leaver>,
    /// What has to be done alone.
    pub(super) alone: Option<Work>,
    /// What begins the next round.
    pub(super) next: Option<Request>,
}

impl<'r> Round<'r> {
    pub(super) fn new(
        first: Request,
        receiver: &'r Receiver<Request>,
        patience: Patience,
        waited_for: Arc<AtomicBool>,
    ) -> Self {
        Self {
            first: Some(first),
            receiver,
            patience,
            waited_for,
            is_waited_for: false,
            ahead: 0,
            pauses: PAUSES.iter(),
            rest: Rest::default(),
        }
    }

    /// The group as far as it comes before it is begun.
    pub(super) fn begin(&mut self) -> Vec<Grouped> {
        iter::from_fn(|| self.next_of(PROMISING)).collect()
    }

    /// What comes after that. An intent is not among it once `is_anybody_noted`: who
    /// left before it was asked for may have been noted since the group was begun.
    pub(super) fn next(&mut self, is_anybody_noted: impl Fn() -> bool) -> Option<Grouped> {
        match self.next_of(ENOUGH)? {
            late @ Grouped::Intent { .. } if is_anybody_noted() => {
                self.rest.next = Some(Request::Grouped(late));
                None
            }
            request => Some(request),
        }
    }

    /// What is to be done after the group.
    pub(super) fn rest(self) -> Rest {
        self.rest
    }

    fn next_of(&mut self, enough: usize) -> Option<Grouped> {
        // What was asked before is done before, and nothing that was asked after.
        while self.rest.alone.is_none() && self.rest.next.is_none() {
            let next = self.first.take().or_else(|| self.receiver.try_recv().ok());
            match next {
                Some(Request::Grouped(request)) => {
                    self.note(&request);
                    return Some(request);
                }
                Some(Request::Leave(leaver)) => {
                    self.rest.leavers.push(leaver);
                    self.is_waited_for = true;
                }
                Some(Request::Alone(work)) => self.rest.alone = Some(work),
                None => self.pause(enough)?,
            }
        }
        None
    }

    fn note(&mut self, request: &Grouped) {
        match request {
            Grouped::Intent { is_ahead: true, .. } => self.ahead += 1,
            Grouped::Outcome { .. } => {}
            Grouped::Intent { .. } | Grouped::Conclusion { .. } => self.is_waited_for = true,
        }
    }

    /// Waits for more, unless it is time.
    fn pause(&mut self, enough: usize) -> Option<()> {
        if self.patience == Patience::AtHand || self.is_waited_for || self.ahead >= enough {
            return None;
        }
        if self.waited_for.swap(false, Ordering::Relaxed) {
            // What is waited for came before, but perhaps after the last look.
            self.is_waited_for = true;
            return Some(());
        }
        thread::sleep(*self.pauses.next()?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use chrono::DateTime;
    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::delivery::DeliveryId;

    fn ahead(delivery: DeliveryId) -> Request {
        Request::Grouped(Grouped::Intent {
            delivery,
            now: DateTime::UNIX_EPOCH,
            is_ahead: true,
            answer: oneshot::channel().0,
        })
    }

    fn deliveries(group: &[Grouped]) -> Vec<DeliveryId> {
        let delivery = |one: &Grouped| match one {
            Grouped::Intent { delivery, .. } => Some(*delivery),
            _ => None,
        };
        group.iter().filter_map(delivery).collect()
    }

    fn later(round: &mut Round<'_>, is_anybody_noted: bool) -> Vec<DeliveryId> {
        let next = || round.next(|| is_anybody_noted);
        deliveries(&iter::from_fn(next).collect::<Vec<_>>())
    }

    fn round(receiver: &Receiver<Request>) -> Round<'_> {
        let first = receiver.recv().unwrap();
        Round::new(first, receiver, Patience::Brief, Arc::default())
    }

    fn asked(requests: impl IntoIterator<Item = Request>) -> (Sender<Request>, Receiver<Request>) {
        let (sender, receiver) = channel();
        for request in requests {
            sender.send(request).unwrap();
        }
        (sender, receiver)
    }

    #[test]
    fn a_group_begins_with_a_few_and_ends_with_enough() {
        let (sender, receiver) = asked((1..=3).map(ahead));
        let mut round = round(&receiver);
        assert_eq!(deliveries(&round.begin()), [1, 2, 3]);
        // They come while its statements are made.
        for delivery in 4..=6 {
            sender.send(ahead(delivery)).unwrap();
        }
        assert_eq!(later(&mut round, false), [4, 5, 6]);
        assert_eq!(round.pauses.len(), PAUSES.len(), "it waited for more");
    }

    #[test]
    fn what_is_asked_after_something_alone_is_done_after_it() {
        let alone = Request::Alone(Box::new(|_| {}));
        let (_sender, receiver) = asked([ahead(1), alone, ahead(2)]);
        let mut round = round(&receiver);
        assert_eq!(deliveries(&round.begin()), [1]);
        assert!(later(&mut round, false).is_empty());
        let rest = round.rest();
        assert!(rest.alone.is_some() && rest.leavers.is_empty() && rest.next.is_none());
        assert!(matches!(receiver.try_recv(), Ok(Request::Grouped(_))));
    }

    #[test]
    fn once_somebody_is_noted_an_intent_waits_for_the_next_group() {
        let (sender, receiver) = asked((1..=3).map(ahead));
        let mut round = round(&receiver);
        assert_eq!(deliveries(&round.begin()), [1, 2, 3]);
        for delivery in 4..=5 {
            sender.send(ahead(delivery)).unwrap();
        }
        assert!(later(&mut round, true).is_empty());
        let Some(next) = round.rest().next else {
            panic!("it is forgotten");
        };
        let mut round = Round::new(next, &receiver, Patience::Brief, Arc::default());
        assert_eq!(deliveries(&round.begin()), [4, 5]);
    }

    #[test]
    fn a_group_for_which_somebody_waits_does_not_wait() {
        let (_sender, receiver) = asked([ahead(1)]);
        let mut round = round(&receiver);
        round.waited_for.store(true, Ordering::Relaxed);
        assert_eq!(deliveries(&round.begin()), [1]);
        assert_eq!(round.pauses.len(), PAUSES.len());
        // Heard once, for this group.
        assert!(!round.waited_for.load(Ordering::Relaxed));
    }
}
