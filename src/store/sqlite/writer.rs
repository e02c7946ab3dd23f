//! The one thread that writes. Intents and outcomes of all connections that
//! wait are committed together: while one fsync runs, the next group collects.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{
    domain::delivery::{AttemptId, DeliveryId, Intent, Outcome},
    store::{
        attempts::{self, Recorded},
        beside::{ballast, leaving::Leaving, mark::Keeper},
        departures::{self, Leaver},
        error::{Fault, StoreError, Trouble},
        sqlite::{BUSY_TIMEOUT, wiping},
    },
};

/// Between two commits of readers who leave.
const BREATH: Duration = Duration::from_millis(4);

/// An answer on its way to the asker.
pub(in crate::store) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What can be asked of the writer.
pub(in crate::store) enum Request {
    /// Statements with a transaction of their own.
    Alone(Box<dyn FnOnce(&mut Session) + Send>),
    /// What shares a transaction with others that wait.
    Grouped(Grouped),
    /// A reader leaves: shares one with others that leave.
    Leave(Leaver),
}

/// The questions that are asked once per message.
pub(in crate::store) enum Grouped {
    /// A delivery is about to be sent.
    Intent {
        delivery: DeliveryId,
        now: DateTime<Utc>,
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
    },
}

/// The connection and what is known of its health.
pub(in crate::store) struct Session {
    connection: Connection,
    path: PathBuf,
    broken: Option<StoreError>,
    /// Who left while the database was busy.
    leaving: Leaving,
    /// Whether the last who left had to wait in vain.
    is_busy: bool,
    /// How far the ledger has come, during a run.
    keeper: Option<Keeper>,
    /// Set once the disk was full: what room was found since is for outcomes.
    no_more_intents: Option<StoreError>,
    /// Outcomes whose commit failed: what the relay said is known only here.
    /// They go with the next commit. As nothing is granted while commits fail,
    /// there is at most one for each message that was under way.
    owed: Vec<Grouped>,
    /// Attempts that the relay took although a newer one had been made.
    late: Vec<AttemptId>,
    #[cfg(test)]
    groups: u64,
}

/// What became of one request of a group; told once the group is committed.
enum Done {
    Intent(Intent),
    Conclusion(bool),
    Outcome(Recorded),
}

/// Starts the writer; it ends when every sender is gone.
pub(in crate::store) fn start(
    connection: Connection,
    path: PathBuf,
) -> std::io::Result<(Sender<Request>, thread::JoinHandle<()>)> {
    let (sender, receiver) = channel();
    let mut session = Session {
        leaving: Leaving::of(&path),
        connection,
        path,
        broken: None,
        is_busy: false,
        keeper: None,
        no_more_intents: None,
        owed: Vec::new(),
        late: Vec::new(),
        #[cfg(test)]
        groups: 0,
    };
    let thread = thread::Builder::new()
        .name("ledger".to_owned())
        .spawn(move || session.serve(&receiver))?;
    Ok((sender, thread))
}

impl Session {
    fn serve(&mut self, receiver: &Receiver<Request>) {
        while let Ok(first) = receiver.recv() {
            let (mut group, mut leavers) = (Vec::new(), Vec::new());
            for request in std::iter::once(first).chain(receiver.try_iter()) {
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
        // The last chance; what fails now is uncertain at the next start.
        self.commit(Vec::new());
    }

    /// Runs `work` in one transaction; an error undoes it.
    pub(in crate::store) fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.transact_unless(false, behavior, work)
    }

    /// Runs `work` in one transaction; an error or a dry run undoes it.
    pub(in crate::store) fn transact_unless<T>(
        &mut self,
        is_dry_run: bool,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let done = transact(
            &mut self.connection,
            &self.leaving,
            is_dry_run,
            behavior,
            work,
        );
        done.map_err(|fault| self.told(fault))
    }

    /// Where the database is.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Where those are noted who leave while it is busy.
    pub(in crate::store) fn leaving(&self) -> &Leaving {
        &self.leaving
    }

    /// Whether the last who left had to wait in vain for the database.
    pub(in crate::store) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Says whether those who leave wait in vain.
    pub(in crate::store) fn set_busy(&mut self, is_busy: bool) {
        self.is_busy = is_busy;
    }

    /// Does something that must not wait for other processes for long.
    pub(in crate::store) fn within<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let set = |session: &mut Self, patience| {
            let set = session.connection.busy_timeout(patience);
            set.map_err(|error| session.told(error.into()))
        };
        set(self, patience)?;
        let done = work(self);
        set(self, BUSY_TIMEOUT)?;
        done
    }

    /// Wipes the files of what is erased; false while somebody else reads.
    pub(in crate::store) fn wipe(&mut self, trace: Option<&str>) -> Result<bool, StoreError> {
        let done = wiping::wipe(&self.connection, &self.path, trace);
        done.map_err(|fault| self.told(fault))
    }

    /// A run has begun: its mark is kept up to date from now on.
    pub(in crate::store) fn keep(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// The run has ended: its mark is forced to the disk.
    pub(in crate::store) fn settle_mark(&mut self) -> Result<(), StoreError> {
        self.keeper.take().map_or(Ok(()), Keeper::sync)
    }

    /// Attempts that the relay took although a newer one had been made, since
    /// this was last asked.
    pub(in crate::store) fn take_late(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.late)
    }

    /// Groups committed so far.
    #[cfg(test)]
    pub(in crate::store) fn groups(&self) -> u64 {
        self.groups
    }

    /// The connection itself, to provoke what a file system does.
    #[cfg(test)]
    pub(in crate::store) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Puts a fault into words. After a failed fsync nobody knows which pages
    /// reached the disk, so this connection is not used again.
    fn told(&mut self, fault: Fault) -> StoreError {
        let error = fault.at(self.path.clone());
        if error.trouble() == Some(Trouble::Sync) {
            self.broken = Some(error.clone());
        }
        error
    }

    /// Commits what is owed and a group, and wakes everyone in it. When a
    /// statement fails for a reason of its own, the others must not suffer:
    /// each is tried alone.
    fn commit(&mut self, group: Vec<Grouped>) {
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
                self.note_late(&group, &done);
                answer(group, done);
            }
            Err(StoreError::Internal { .. }) if group.len() > 1 => {
                for request in group {
                    self.commit(vec![request]);
                }
            }
            Err(error) => {
                let is_passing = match &error {
                    StoreError::Unavailable { .. } => true,
                    StoreError::Io { trouble, .. } => *trouble != Trouble::Sync,
                    _ => false,
                };
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
        if !lacks_room || !ballast::release(&self.path) {
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

    /// Nobody has to wait for the receipt of an outcome; what it tells of a
    /// second copy must be heard all the same.
    fn note_late(&mut self, group: &[Grouped], done: &[Done]) {
        let told = group.iter().zip(done);
        self.late.extend(told.filter_map(|told| match told {
            (Grouped::Outcome { attempt, .. }, Done::Outcome(Recorded::Duplicate)) => {
                Some(*attempt)
            }
            _ => None,
        }));
    }

    fn attempt(&mut self, group: &[Grouped]) -> Result<Vec<Done>, StoreError> {
        self.transact(TransactionBehavior::Immediate, |transaction| {
            group
                .iter()
                .map(|request| perform(transaction, request))
                .collect()
        })
    }
}

fn transact<T>(
    connection: &mut Connection,
    leaving: &Leaving,
    is_dry_run: bool,
    behavior: TransactionBehavior,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction_with_behavior(behavior)?;
    // Whoever left beside the database has left before anything else is done.
    let taken = match behavior {
        TransactionBehavior::Deferred => None,
        _ => leaving.take_up(&transaction)?,
    };
    let done = work(&transaction)?;
    if is_dry_run {
        transaction.rollback()?;
        return Ok(done);
    }
    transaction.commit()?;
    if let Some(taken) = taken {
        // What is taken up again changes nothing.
        drop(taken.forget());
    }
    Ok(done)
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
            } => {
                drop(answer.map(|answer| answer.send(Err(error.clone()))));
                outcomes.push(Grouped::Outcome {
                    attempt,
                    outcome,
                    now,
                    answer: None,
                });
            }
        }
    }
    outcomes
}
