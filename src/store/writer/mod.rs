//! The one thread that writes. Intents and outcomes of all connections that
//! wait are committed together: while one commit is forced to the disk, the next
//! group collects.

mod bell;
mod group;
mod round;

use std::{
    iter,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

pub(super) use self::{
    bell::Bell,
    group::{Done, Grouped, Kept},
};
use self::{
    group::{answer, perform, refuse, refuse_intents},
    round::{Patience, Round},
};

use crate::{
    domain::delivery::Intent,
    store::{
        attempts::Recorded,
        beside::{ballast, leaving::Leaving},
        departures::{self, Leaver},
        error::{StoreError, Trouble},
        postgres,
        session::Session,
        sql::Connection,
    },
};

/// Between two commits of readers who leave.
const BREATH: Duration = Duration::from_millis(4);

/// Between two tries to take up the notes of readers who left.
const NOTES_AGAIN: Duration = Duration::from_secs(1);

/// An answer on its way to the asker.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Statements of one asker.
pub(super) type Work = Box<dyn FnOnce(&mut Session) + Send>;

/// What can be asked of the writer.
pub(super) enum Request {
    /// Statements with a transaction of their own.
    Alone(Work),
    /// What shares a transaction with others that wait.
    Grouped(Grouped),
    /// A reader leaves: shares one with others that leave.
    Leave(Leaver),
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
        self.bell.wakes_this_thread();
        self.take_up_journal();
        let patience = match self.connection() {
            Connection::Sqlite(_) => Patience::Brief,
            Connection::Postgres(_) => Patience::AtHand,
        };
        let leaving = Leaving::of(self.path());
        let mut next = None;
        while let Some(first) = next.take().or_else(|| self.next(receiver)) {
            let mut round = Round::new(first, receiver, patience, Arc::clone(&self.bell));
            let begun = round.begin();
            self.commit_while(begun, &mut || round.next(|| leaving.has_notes()));
            let rest = round.rest();
            let is_crowd = !rest.leavers.is_empty();
            departures::all(self, rest.leavers);
            if let Some(work) = rest.alone {
                work(self);
            } else if is_crowd {
                // They are answered. Who sends gets the database in between,
                // while the next who leave gather for one commit.
                thread::sleep(BREATH);
            }
            next = rest.next;
        }
        // The last chance; what fails now is uncertain at the next start, but for
        // what a server has to be told later.
        self.commit(Vec::new());
        self.write_journal();
    }

    /// The next request. While notes of those who left wait to be taken up and
    /// nobody asks for anything, they are tried again.
    fn next(&mut self, receiver: &Receiver<Request>) -> Option<Request> {
        // A question to the kernel that whoever is at work need not ask.
        if let Ok(request) = receiver.try_recv() {
            return Some(request);
        }
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

    /// Commits what is owed and a group.
    pub(super) fn commit(&mut self, group: Vec<Grouped>) {
        self.commit_while(group, &mut || None);
    }

    /// Commits what is owed, a group, and what comes meanwhile, and wakes everyone
    /// in it. When a statement fails for a reason of its own, the others must not
    /// suffer: each is tried alone.
    pub(super) fn commit_while(
        &mut self,
        group: Vec<Grouped>,
        more: &mut dyn FnMut() -> Option<Grouped>,
    ) {
        let mut owed = std::mem::take(&mut self.owed);
        owed.extend(group);
        let mut group = match &self.no_more_intents {
            Some(error) => {
                owed.extend(iter::from_fn(&mut *more));
                refuse_intents(owed, error)
            }
            None => owed,
        };
        if group.is_empty() {
            return;
        }
        #[cfg(test)]
        {
            self.groups += 1;
        }
        match self.attempt(&mut group, more) {
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
        let mut owed = std::mem::take(&mut self.owed);
        match self.attempt(&mut owed, &mut || None) {
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

    /// Does what a group asks for. Its statements are made while it grows, so that
    /// nothing but the commit is left to be waited for.
    fn attempt(
        &mut self,
        group: &mut Vec<Grouped>,
        more: &mut dyn FnMut() -> Option<Grouped>,
    ) -> Result<Vec<Done>, StoreError> {
        self.transact_own(|connection| {
            if let Connection::Postgres(link) = connection {
                return postgres::group(connection, link, group);
            }
            let done = group.iter().map(|request| perform(connection, request));
            let mut done: Vec<Done> = done.collect::<Result<_, _>>()?;
            while let Some(request) = more() {
                group.push(request);
                done.push(perform(connection, &group[done.len()])?);
            }
            Ok(done)
        })
    }
}
