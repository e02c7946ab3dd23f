//! What the writer does before it looks anew: a group, those who leave, and at most
//! one thing more.

use std::{
    iter,
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use super::{
    Request, Work,
    bell::{Bell, Weight},
    group::Grouped,
};
use crate::store::departures::Leaver;

/// For so long outcomes, and intents that were asked for ahead, wait for others: a
/// commit costs the same for one message as for all.
const PATIENCE: Duration = Duration::from_millis(2);
/// So many intents make a commit worth while: most of what the sessions of a default
/// configuration ask for at once.
const ENOUGH: usize = 8;

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
    bell: Arc<Bell>,
    /// Somebody can do nothing before they are answered.
    is_waited_for: bool,
    /// How many intents were asked for ahead.
    ahead: usize,
    /// When it waits no longer, once it has begun to wait.
    until: Option<Instant>,
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
        bell: Arc<Bell>,
    ) -> Self {
        Self {
            first: Some(first),
            receiver,
            patience,
            bell,
            is_waited_for: false,
            ahead: 0,
            until: None,
            rest: Rest::default(),
        }
    }

    /// The group as far as it comes before it is begun: until then nobody else is kept
    /// from the database.
    pub(super) fn begin(&mut self) -> Vec<Grouped> {
        iter::from_fn(|| self.next_grouped()).collect()
    }

    /// What came while its statements were made. An intent is not among it once
    /// `is_anybody_noted`: who left before it was asked for may have been noted since
    /// the group was begun.
    pub(super) fn next(&mut self, is_anybody_noted: impl Fn() -> bool) -> Option<Grouped> {
        match self.next_grouped()? {
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

    fn next_grouped(&mut self) -> Option<Grouped> {
        // What was asked before is done before, and nothing that was asked after.
        while self.rest.alone.is_none() && self.rest.next.is_none() {
            let first = self.first.take().or_else(|| self.receiver.try_recv().ok());
            let request = first.or_else(|| self.wait())?;
            match request.weight() {
                Weight::Nothing => {}
                Weight::OneOfMany => self.ahead += 1,
                Weight::Enough => self.is_waited_for = true,
            }
            match request {
                Request::Grouped(request) => return Some(request),
                Request::Leave(leaver) => self.rest.leavers.push(leaver),
                Request::Alone(work) => self.rest.alone = Some(work),
            }
        }
        None
    }

    /// Waits for more, unless it is time.
    fn wait(&mut self) -> Option<Request> {
        while self.patience == Patience::Brief && !self.is_waited_for && self.ahead < ENOUGH {
            self.is_waited_for = self.bell.was_waited_for();
            self.bell.rings_for(ENOUGH - self.ahead);
            // What came before it would ring.
            if let Ok(request) = self.receiver.try_recv() {
                return Some(request);
            }
            if self.is_waited_for {
                break;
            }
            let now = Instant::now();
            let until = *self.until.get_or_insert(now + PATIENCE);
            if now >= until {
                break;
            }
            self.bell.wait(until - now);
        }
        None
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
    fn a_group_of_few_waits_for_more_only_so_long() {
        let (_sender, receiver) = asked([ahead(1)]);
        let mut round = round(&receiver);
        assert_eq!(deliveries(&round.begin()), [1]);
        assert!(round.until.is_some_and(|until| until <= Instant::now()));
        assert!(later(&mut round, false).is_empty());
    }

    #[test]
    fn a_group_takes_what_comes_while_it_is_written() {
        let (sender, receiver) = asked((1..=8).map(ahead));
        let mut round = round(&receiver);
        assert_eq!(deliveries(&round.begin()), [1, 2, 3, 4, 5, 6, 7, 8]);
        for delivery in 9..=10 {
            sender.send(ahead(delivery)).unwrap();
        }
        assert_eq!(later(&mut round, false), [9, 10]);
        assert!(round.until.is_none(), "it waited for more");
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
        round.bell.waited_for();
        assert_eq!(deliveries(&round.begin()), [1]);
        assert!(round.until.is_none());
        // Heard once, for this group.
        assert!(!round.bell.was_waited_for());
    }
}
