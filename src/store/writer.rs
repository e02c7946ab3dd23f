//! The one thread that writes. Intents and outcomes of all connections that
//! wait are committed together: while one fsync runs, the next group collects.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::{
    domain::delivery::{AttemptId, DeliveryId, Intent, Outcome},
    store::{
        attempts::{self, Recorded},
        beside::ballast,
        departures::{self, Leaver},
        error::{Fault, StoreError, Trouble},
        postgres,
        session::Session,
        sql::Connection,
    },
};

/// Between two commits of readers who leave.
const BREATH: Duration = Duration::from_millis(4);

/// For so long outcomes, and intents that were asked for ahead, wait for others. To
/// be woken by each that comes would cost more than to look now and then; the
/// shortest sleep there is takes some 50 µs on Linux, less than a commit.
const PAUSES: [Duration; 8] = {
    let [shortest, short] = [Duration::from_micros(1), Duration::from_micros(100)];
    [shortest, shortest, short, short, short, short, short, short]
};
/// So many intents make a commit worth while.
const ENOUGH: usize = 6;

/// Between two tries to take up the notes of readers who left.
const NOTES_AGAIN: Duration = Duration::from_secs(1);

/// An answer on its way to the asker.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What can be asked of the writer.
pub(super) enum Request {
    /// Statements with a transaction of their own.
    Alone(Box<dyn FnOnce(&mut Session) + Send>),
    /// What shares a transaction with others that wait.
    Grouped(Grouped),
    /// A reader leaves: shares one with others that leave.
    Leave(Leaver),
}

impl Request {
    fn is_ahead(&self) -> bool {
        matches!(self, Self::Grouped(Grouped::Intent { is_ahead: true, .. }))
    }

    /// Whether somebody can do nothing before it is answered.
    fn is_waited_for(&self) -> bool {
        !matches!(
            self,
            Self::Grouped(Grouped::Intent { is_ahead: true, .. } | Grouped::Outcome { .. })
        )
    }
}

/// The questions that are asked once per message.
pub(super) enum Grouped {
    /// A delivery is about to be sent, or is the next.
    Intent {
        delivery: DeliveryId,
        now: DateTime<Utc>,
        /// Its session does something else before it needs the answer.
        is_ahead: bool,
        answer: Answer<Intent>,
    },
    /// A delivery ended before it had an intent.
    Conclusion {
        delivery: DeliveryId,
        outcome: Outcome,
        now: DateTime<Utc>,
        answer: Answer<bool>,
    },
    /// An attempt ended. Without `answer`, the asker was told that the commit
    /// failed, and the outcome is owed.
    Outcome {
        attempt: AttemptId,
        outcome: Outcome,
        now: DateTime<Utc>,
        answer: Option<Answer<Recorded>>,
        kept: Kept,
    },
}

/// Counts an outcome for as long as it is kept in memory only.
pub(super) struct Kept(Arc<AtomicU64>);

impl Kept {
    pub(super) fn of(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Grouped {
    fn is_outcome(&self) -> bool {
        matches!(self, Self::Outcome { .. })
    }

    /// Whether it says that a relay took a message.
    fn is_sent(&self) -> bool {
        matches!(
            self,
            Self::Outcome {
                outcome: Outcome::Sent(_),
                ..
            }
        )
    }
}

/// What became of one request of a group; told once the group is committed.
pub(super) enum Done {
    Intent(Intent),
    Conclusion(bool),
    Outcome(Recorded),
}

/// Starts the writer; it ends when every sender is gone.
pub(super) fn start(
    mut session: Session,
) -> std::io::Result<(Sender<Request>, thread::JoinHandle<()>)> {
    let (sender, receiver) = channel();
    let thread = thread::Builder::new()
        .name("ledger".to_owned())
        .spawn(move || session.serve(&receiver))?;
    Ok((sender, thread))
}

impl Session {
    fn serve(&mut self, receiver: &Receiver<Request>) {
        self.take_up_journal();
        while let Some(first) = self.next(receiver) {
            let (mut group, mut leavers) = (Vec::new(), Vec::new());
            let gathered = self.gather(first, receiver).into_iter();
            for request in gathered.chain(receiver.try_iter()) {
                match request {
                    // What was asked before is done before.
                    Request::Alone(work) => {
                        self.commit(std::mem::take(&mut group));
                        departures::all(self, std::mem::take(&mut leavers));
                        work(self);
                    }
                    Request::Grouped(request) => group.push(request),
                    Request::Leave(leaver) => leavers.push(leaver),
                }
            }
            self.commit(group);
            let is_crowd = !leavers.is_empty();
            departures::all(self, leavers);
            if is_crowd {
                // They are answered. Who sends gets the database in between,
                // while the next who leave gather for one commit.
                thread::sleep(BREATH);
            }
        }
        // The last chance; what fails now is uncertain at the next start, but for
        // what a server has to be told later.
        self.commit(Vec::new());
        self.write_journal();
    }

    /// What waits, and what comes until somebody waits for an answer: a commit costs
    /// the same for one message as for all. Only SQLite lets its sessions ask ahead,
    /// so that there is time for that.
    fn gather(&self, first: Request, receiver: &Receiver<Request>) -> Vec<Request> {
        let mut found = vec![first];
        found.extend(receiver.try_iter());
        if !matches!(self.connection(), Connection::Sqlite(_)) {
            return found;
        }
        for pause in PAUSES {
            let is_waited_for = self.waited_for.swap(false, Ordering::Relaxed)
                || found.iter().any(Request::is_waited_for);
            if is_waited_for || found.iter().filter(|one| one.is_ahead()).count() >= ENOUGH {
                break;
            }
            thread::sleep(pause);
            found.extend(receiver.try_iter());
        }
        found
    }

    /// The next request. While notes of those who left wait to be taken up and
    /// nobody asks for anything, they are tried again.
    fn next(&mut self, receiver: &Receiver<Request>) -> Option<Request> {
        while self.leaving().has_notes() {
            match receiver.recv_timeout(NOTES_AGAIN) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let tried = self.within(BREATH, |session| session.transact_own(|_| Ok(())));
                    let is_stuck = tried.is_err_and(|error| !error.is_passing());
                    if is_stuck {
                        break;
                    }
                }
            }
        }
        receiver.recv().ok()
    }

    /// Commits what is owed and a group, and wakes everyone in it. When a
    /// statement fails for a reason of its own, the others must not suffer:
    /// each is tried alone.
    pub(super) fn commit(&mut self, group: Vec<Grouped>) {
        let mut owed = std::mem::take(&mut self.owed);
        owed.extend(group);
        let group = match &self.no_more_intents {
            Some(error) => refuse_intents(owed, error),
            None => owed,
        };
        if group.is_empty() {
            return;
        }
        #[cfg(test)]
        {
            self.groups += 1;
        }
        match self.attempt(&group) {
            Ok(done) => {
                self.note_attempts(&done);
                self.remember(&group, &done);
                self.note_late(&group, &done);
                self.count_sent(group.iter().filter(|one| one.is_sent()).count());
                answer(group, done);
            }
            Err(StoreError::Internal { .. }) if group.len() > 1 => {
                for request in group {
                    self.commit(vec![request]);
                }
            }
            Err(error) => {
                let is_passing = match &error {
                    error if error.is_passing() => true,
                    // Another server took over, and promises less: what was said
                    // is for the next one.
                    StoreError::Unfit { .. } => true,
                    StoreError::Io { trouble, .. } => *trouble != Trouble::Sync,
                    _ => false,
                };
                if !is_passing && group.iter().any(Grouped::is_outcome) {
                    self.spoil_slate();
                }
                let outcomes = refuse(group, &error);
                if is_passing {
                    self.owed = outcomes;
                    self.save(&error);
                }
            }
        }
    }

    /// If the disk is full (or a quota: then a write fails), gives the ballast
    /// back and writes down what relays have said. Nothing new is begun in the
    /// room that makes.
    fn save(&mut self, error: &StoreError) {
        let lacks_room = matches!(error.trouble(), Some(Trouble::DiskFull | Trouble::Write));
        if !lacks_room || !ballast::release(self.path()) {
            return;
        }
        self.no_more_intents = Some(error.clone());
        let owed = std::mem::take(&mut self.owed);
        match self.attempt(&owed) {
            Ok(done) => self.note_late(&owed, &done),
            Err(_) => self.owed = owed,
        }
    }

    fn note_attempts(&mut self, done: &[Done]) {
        let newest = done.iter().filter_map(|done| match done {
            Done::Intent(Intent::Granted(attempt)) => Some(*attempt),
            _ => None,
        });
        if let (Some(keeper), Some(attempt)) = (&mut self.keeper, newest.max()) {
            keeper.note_attempt(attempt);
        }
    }

    /// What was committed on a server may have to be asserted before another one.
    fn remember(&self, group: &[Grouped], done: &[Done]) {
        let Connection::Postgres(link) = self.connection() else {
            return;
        };
        for told in group.iter().zip(done) {
            match told {
                (Grouped::Intent { delivery, now, .. }, Done::Intent(Intent::Granted(attempt))) => {
                    link.intended(*attempt, *delivery, *now)
                }
                (
                    Grouped::Outcome {
                        attempt,
                        outcome,
                        now,
                        ..
                    },
                    Done::Outcome(_),
                ) => link.ended(*attempt, outcome, *now),
                _ => {}
            }
        }
    }

    /// Nobody has to wait for the receipt of an outcome; what it tells of a
    /// second copy, or of what had been given up, must be heard all the same.
    fn note_late(&mut self, group: &[Grouped], done: &[Done]) {
        for told in group.iter().zip(done) {
            let (Grouped::Outcome { attempt, .. }, Done::Outcome(recorded)) = told else {
                continue;
            };
            match recorded {
                Recorded::Duplicate => self.late.push(self.current(*attempt)),
                Recorded::Confirmed => self.confirmed.push(self.current(*attempt)),
                Recorded::Applied | Recorded::Noted => {}
            }
        }
    }

    fn attempt(&mut self, group: &[Grouped]) -> Result<Vec<Done>, StoreError> {
        self.transact_own(|connection| match connection {
            Connection::Sqlite(_) => {
                let done = group.iter().map(|request| perform(connection, request));
                done.collect()
            }
            Connection::Postgres(link) => postgres::group(connection, link, group),
        })
    }
}

fn perform(transaction: &Connection, request: &Grouped) -> Result<Done, Fault> {
    match request {
        Grouped::Intent { delivery, now, .. } => {
            attempts::intent(transaction, *delivery, *now).map(Done::Intent)
        }
        Grouped::Conclusion {
            delivery,
            outcome,
            now,
            ..
        } => attempts::conclude(transaction, *delivery, outcome, *now).map(Done::Conclusion),
        Grouped::Outcome {
            attempt,
            outcome,
            now,
            ..
        } => attempts::outcome(transaction, *attempt, outcome, *now).map(Done::Outcome),
    }
}

/// Answers everyone in a group. Who no longer listens does not need to know.
fn answer(group: Vec<Grouped>, done: Vec<Done>) {
    for (request, done) in group.into_iter().zip(done) {
        match (request, done) {
            (Grouped::Intent { answer, .. }, Done::Intent(intent)) => {
                drop(answer.send(Ok(intent)));
            }
            (Grouped::Conclusion { answer, .. }, Done::Conclusion(is_recorded)) => {
                drop(answer.send(Ok(is_recorded)));
            }
            (Grouped::Outcome { answer, .. }, Done::Outcome(recorded)) => {
                drop(answer.map(|answer| answer.send(Ok(recorded))));
            }
            // `perform` answers each kind in kind; dropping the sender says `Closed`.
            _ => {}
        }
    }
}

/// Refuses the intents of a group; hands back the rest.
fn refuse_intents(group: Vec<Grouped>, error: &StoreError) -> Vec<Grouped> {
    let (intents, rest) = group
        .into_iter()
        .partition(|request| matches!(request, Grouped::Intent { .. }));
    drop(refuse(intents, error));
    rest
}

/// Tells everyone in a group that it failed; hands back its outcomes, which
/// can be committed later all the same.
fn refuse(group: Vec<Grouped>, error: &StoreError) -> Vec<Grouped> {
    let mut outcomes = Vec::new();
    for request in group {
        match request {
            Grouped::Intent { answer, .. } => drop(answer.send(Err(error.clone()))),
            Grouped::Conclusion { answer, .. } => drop(answer.send(Err(error.clone()))),
            Grouped::Outcome {
                attempt,
                outcome,
                now,
                answer,
                kept,
            } => {
                drop(answer.map(|answer| answer.send(Err(error.clone()))));
                outcomes.push(Grouped::Outcome {
                    attempt,
                    outcome,
                    now,
                    answer: None,
                    kept,
                });
            }
        }
    }
    outcomes
}
