//! One session's life: take a delivery, have the relay check its addresses,
//! make the intent durable, send, record; again. Where the relay takes commands
//! in groups, the next delivery's addresses travel with the end of the message
//! before, so that a message costs one round trip.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::{
    OutboxError, Shared, Stop, Way,
    asked::{Asked, FRESH},
    compose::{self, Signing},
    control::Admission,
    endings,
    enlistment::Permit,
    folder,
    issues::Ready,
    locked,
    report::{Ending, Why},
    settle::{self, Case},
    told,
};
use crate::{
    domain::delivery::{AttemptId, DueDelivery, Intent, Phase, Reply},
    mail::{
        Message,
        dkim::CryptoError,
        smtp::{Dialer, Envelope, Session, Trouble},
    },
    moment::Moment,
};

/// Sessions end after this, however many messages they carried.
const OLDEST_SESSION: Duration = Duration::from_secs(600);

/// Sends until nothing is due, the drain is over, or the caller says stop.
pub(super) async fn work(
    shared: Arc<Shared>,
    index: usize,
    stop: watch::Receiver<Stop>,
) -> Result<(), OutboxError> {
    let mut worker = Worker {
        shared: &shared,
        index,
        stop,
        session: None,
        ahead: None,
        asked: None,
        granted: None,
        last_dot: None,
    };
    let result = AssertUnwindSafe(worker.run()).catch_unwind().await;
    if !matches!(result, Ok(Ok(()))) {
        // What nothing was sent under is nobody's doubt, as far as the ledger can be
        // told.
        let given_up = worker.give_up_intent().await;
        drop(given_up.and_then(|()| match worker.granted {
            Some(attempt) => settle::unused(&shared, attempt),
            None => Ok(()),
        }));
    }
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A delivery in a worker's hands.
struct Item {
    delivery: DueDelivery,
    permit: Permit,
    ready: Arc<Ready>,
    /// Or why there can be none.
    envelope: OnceLock<Result<Envelope, String>>,
    /// If it was begun.
    signing: Mutex<Option<Signing>>,
}

impl Item {
    async fn new(shared: &Shared, delivery: DueDelivery) -> Result<Self, OutboxError> {
        let permit = shared.feed.permit();
        Ok(Self {
            permit,
            ready: shared.issues.get(delivery.issue, delivery.edition).await?,
            delivery,
            envelope: OnceLock::new(),
            signing: Mutex::default(),
        })
    }

    fn envelope(&self, shared: &Shared) -> Result<&Envelope, &String> {
        let made = || compose::envelope(&self.ready, &self.delivery, &shared.signer);
        self.envelope.get_or_init(made).as_ref()
    }

    /// Lets the message be signed meanwhile.
    fn begin_to_sign(&self, shared: &Shared) {
        *locked(&self.signing) = self.signing(shared);
    }

    fn signing(&self, shared: &Shared) -> Option<Signing> {
        Signing::begin(&self.ready, &self.delivery, &shared.signer)
    }

    async fn message(&self, shared: &Shared) -> Result<Message, CryptoError> {
        let begun = locked(&self.signing).take();
        match begun.or_else(|| self.signing(shared)) {
            Some(signing) => signing.message().await,
            None => compose::message(&self.ready, &self.delivery, &shared.signer),
        }
    }
}

/// One of the drain's sessions, open or not.
struct Worker<'s> {
    shared: &'s Arc<Shared>,
    index: usize,
    stop: watch::Receiver<Stop>,
    session: Option<Session>,
    /// The delivery after the present one.
    ahead: Option<Item>,
    /// Its intent, if that was asked for already.
    asked: Option<Asked>,
    /// An attempt under which nothing was sent yet and that is not settled.
    granted: Option<AttemptId>,
    /// When the end of a message left last.
    last_dot: Option<Moment>,
}

/// What became of a message that was handed over or not.
enum Handed {
    /// Not a byte of it was sent; if there is an intent, it was asked for ahead.
    Refused(Trouble),
    /// The reader left or the issue was paused before the intent.
    Withdrawn,
    /// The intent is durable; an answer, or none.
    Tried(AttemptId, Result<Reply, Trouble>),
    /// The lease was lost before the dot, which was not sent.
    Lapsed(Option<AttemptId>),
}

impl<'s> Worker<'s> {
    fn case<'c>(&self, item: &'c Item) -> Case<'c>
    where
        's: 'c,
    {
        Case {
            shared: self.shared,
            worker: self.index,
            delivery: &item.delivery,
            ready: &item.ready,
        }
    }

    async fn run(&mut self) -> Result<(), OutboxError> {
        while let Some(item) = self.next().await? {
            let result = self.attempt(&item).await;
            self.shared.feed.release(self.index, item.delivery.id);
            result?;
            if self.shared.control.is_idle() {
                // No relay serves us; another worker may have one that does.
                self.shared.feed.give_back().await?;
            }
        }
        if let Some(session) = self.session.take() {
            session.quit().await;
        }
        Ok(())
    }

    /// The next delivery; `None` when this worker has nothing more to do.
    async fn next(&mut self) -> Result<Option<Item>, OutboxError> {
        let shared = self.shared;
        self.retire().await;
        let is_begun = self.session.as_ref().is_some_and(Session::is_begun);
        if let Some(ahead) = self.ahead.take() {
            if is_begun && self.may_look_ahead() && ahead.permit.lasts() {
                return Ok(Some(ahead));
            }
            // This worker may have to wait, and another one not.
            self.give_up_intent().await?;
            shared.feed.put_back(self.index, ahead.delivery);
        }
        if is_begun {
            // What was begun cannot be taken back in this session.
            self.session = None;
        }
        tokio::select! {
            biased;
            () = ended(shared, &mut self.stop) => Ok(None),
            item = admitted(shared, self.index) => item,
        }
    }

    async fn attempt(&mut self, item: &Item) -> Result<(), OutboxError> {
        match &self.shared.way {
            Way::Folder(folder) => by_folder(self.case(item), folder, item).await,
            Way::Smtp(dialer) => self.by_relay(dialer, item).await,
        }
    }

    async fn by_relay(&mut self, dialer: &Dialer, item: &Item) -> Result<(), OutboxError> {
        let shared = self.shared;
        let envelope = match item.envelope(shared) {
            Ok(envelope) => envelope,
            Err(reason) => return settle::failed(self.case(item), reason.clone()).await,
        };
        let opened = tokio::select! {
            biased;
            () = item.permit.lost() => return self.lapsed(item, None),
            opened = self.open(dialer, envelope) => opened,
        };
        if let Err(trouble) = opened {
            let Some(trouble) = trouble else {
                return self.give_up_intent().await;
            };
            return self.refused(item, trouble).await;
        }
        match self.hand_over(item).await? {
            Handed::Tried(attempt, Ok(reply)) => {
                settle::sent(self.case(item), attempt, reply).await
            }
            Handed::Tried(attempt, Err(trouble)) => {
                self.troubled(item, Some(attempt), trouble).await
            }
            Handed::Refused(trouble) => self.refused(item, trouble).await,
            Handed::Lapsed(attempt) => self.lapsed(item, attempt),
            Handed::Withdrawn => {
                // The relay waits for a message that must not be sent.
                self.session = None;
                shared.control.unused(self.index);
                settle::withdrawn(shared);
                Ok(())
            }
        }
    }

    /// A session in which the relay waits for the message. An error of `None`
    /// says that the drain ended before there was one.
    async fn open(&mut self, dialer: &Dialer, envelope: &Envelope) -> Result<(), Option<Trouble>> {
        // A session that the relay closed while it was idle is replaced once
        // without a word.
        let mut may_reconnect = self.session.as_ref().is_some_and(Session::was_used);
        loop {
            let session = match &mut self.session {
                Some(session) => session,
                None => {
                    let opened = tokio::select! {
                        biased;
                        // Nothing was promised to anybody yet, and a relay that
                        // does not answer may be waited for for minutes.
                        () = ended(self.shared, &mut self.stop) => return Err(None),
                        opened = dialer.open() => opened.map_err(Some)?,
                    };
                    self.session.insert(opened)
                }
            };
            match session.open(envelope).await {
                Ok(()) => return Ok(()),
                Err(trouble) if may_reconnect && is_stale(&trouble) => {
                    may_reconnect = false;
                    self.session = None;
                }
                Err(trouble) => return Err(Some(trouble)),
            }
        }
    }

    /// Text, intent, dot. The intent is asked for when the relay has nothing
    /// left to refuse but the message, or was asked for ahead; the dot waits until
    /// it is durable.
    async fn hand_over(&mut self, item: &Item) -> Result<Handed, OutboxError> {
        let shared = self.shared;
        let may_look_ahead = self.may_look_ahead();
        let session = self.session.as_mut().expect("it was opened for this item");
        let message = item.message(shared).await?;
        let size = message.size();
        if let Some(most) = session.largest() {
            let issue = item.delivery.issue;
            let largest = shared
                .issues
                .larger_than(most, issue, &shared.signer)
                .await?;
            let too_big = largest.or((size > most).then_some(size));
            if let Some(size) = too_big {
                return Ok(Handed::Refused(Trouble::TooBig { size, most }));
            }
        }
        if let Err(trouble) = session.awaits(size) {
            return Ok(Handed::Refused(trouble));
        }
        let mut intent = self.intent(item).await?;
        let session = self.session.as_mut().expect("nothing has closed it since");
        if self.ahead.is_none()
            && may_look_ahead
            && is_worth_it(shared, session)
            && shared.control.takes_ahead()
        {
            self.ahead = look_ahead(shared, self.index).await?;
        }
        let text = tokio::select! {
            biased;
            () = item.permit.lost() => None,
            (text, ()) = async {
                tokio::join!(session.text(message.pieces(), size), intent.answered(&shared.store))
            } => Some(text),
        };
        if text.is_none() {
            // The relay must not wait for a dot that never comes.
            self.session = None;
        }
        let Intent::Granted(attempt) = intent.told(&shared.store).await? else {
            return Ok(match item.permit.lasts() {
                true => Handed::Withdrawn,
                false => Handed::Lapsed(None),
            });
        };
        shared.feed.begun(item.delivery.id);
        self.granted = Some(attempt);
        let (Some(session), Some(text)) = (self.session.as_mut(), text) else {
            return Ok(Handed::Lapsed(Some(attempt)));
        };
        if let Err(trouble) = text {
            return Ok(Handed::Tried(attempt, Err(trouble)));
        }
        // The last moment: from here on the relay may have the message.
        if !item.permit.lasts() {
            return Ok(Handed::Lapsed(Some(attempt)));
        }
        let ahead = self.ahead.as_ref();
        let next = ahead
            .and_then(|item| item.envelope(shared).ok())
            .filter(|envelope| session.carries(envelope));
        let last = self.last_dot.replace(Moment::now());
        // Where a message takes longer, a commit more is nothing.
        let is_quick = last.is_some_and(|last| last.elapsed() < FRESH);
        if let Some(slate) = &shared.slate {
            slate.dot(self.index, attempt)?;
        }
        self.granted = None;
        if let (Some(slate), Some(ahead)) = (&shared.slate, ahead)
            && next.is_some()
            && is_quick
            && slate.is_trusted()
        {
            // The commit takes no longer than the relay does. Killed meanwhile, the
            // slate tells that nothing was sent under this intent.
            self.asked = Some(Asked::ahead(shared, ahead.delivery.id));
        }
        Ok(Handed::Tried(attempt, session.end(next).await))
    }

    /// The intent of `item`: the one that was asked for ahead, if it may still be
    /// used, or one of this moment.
    async fn intent(&mut self, item: &Item) -> Result<Asked, OutboxError> {
        if let Some(asked) = self.asked.take_if(|asked| asked.is_fresh(self.shared)) {
            return Ok(asked);
        }
        self.give_up_intent().await?;
        Ok(Asked::now(self.shared, item.delivery.id))
    }

    /// The attempt that was begun ahead for the present delivery, if one was.
    async fn asked_ahead(&mut self) -> Result<Option<AttemptId>, OutboxError> {
        let Some(asked) = self.asked.take() else {
            return Ok(None);
        };
        Ok(match asked.told(&self.shared.store).await? {
            Intent::Granted(attempt) => Some(attempt),
            Intent::Refused => None,
        })
    }

    /// Nothing is sent under what was asked for ahead.
    async fn give_up_intent(&mut self) -> Result<(), OutboxError> {
        match self.asked_ahead().await? {
            Some(attempt) => settle::unused(self.shared, attempt),
            None => Ok(()),
        }
    }

    /// Something went wrong before a byte of the message was sent.
    async fn refused(&mut self, item: &Item, trouble: Trouble) -> Result<(), OutboxError> {
        self.granted = self.asked_ahead().await?;
        self.troubled(item, self.granted, trouble).await
    }

    async fn troubled(
        &mut self,
        item: &Item,
        attempt: Option<AttemptId>,
        trouble: Trouble,
    ) -> Result<(), OutboxError> {
        keep_or_drop(&mut self.session, &trouble);
        settle::troubled(self.case(item), attempt, trouble).await?;
        self.granted = None;
        Ok(())
    }

    /// The lease was lost before this message could be completed: somebody else
    /// may send it.
    fn lapsed(&mut self, item: &Item, attempt: Option<AttemptId>) -> Result<(), OutboxError> {
        self.session = None;
        self.granted = None;
        self.shared.control.unused(self.index);
        settle::lapsed(self.shared, &item.permit, attempt)
    }

    /// Whether one more message may begin at once, without asking.
    fn may_look_ahead(&self) -> bool {
        self.shared.control.admits_ahead(self.index)
            && !self.shared.halt.is_over()
            && *self.stop.borrow() == Stop::No
    }

    /// Ends a session that is old, has carried enough, or is one too many now.
    async fn retire(&mut self) {
        let shared = self.shared;
        let is_spent = self.session.as_ref().is_some_and(|open| {
            !open.is_begun()
                && (open.is_broken()
                    || open.messages() >= shared.settings.messages_per_connection
                    || open.age() >= OLDEST_SESSION
                    || !shared.control.is_wanted(self.index))
        });
        if is_spent && let Some(spent) = self.session.take() {
            spent.quit().await;
        }
    }
}

/// Waits until the caller says stop or the drain is over. Whoever is told so
/// takes no new message; one under way is finished.
async fn ended(shared: &Shared, stop: &mut watch::Receiver<Stop>) {
    let mut over = shared.halt.over();
    let is_stopped = tokio::select! {
        biased;
        () = told(stop, |stop| stop != Stop::No) => true,
        _ = over.wait_for(|over| *over) => false,
    };
    if is_stopped {
        shared.halt.now(Some(Ending {
            why: Why::Stopped,
            text: "stopped on request".to_owned(),
        }));
    }
}

/// The relay's leave, then a delivery, then the rate's leave.
async fn admitted(shared: &Shared, index: usize) -> Result<Option<Item>, OutboxError> {
    match shared.control.admit(index).await {
        Admission::Go => {}
        Admission::Out => return Ok(None),
        Admission::GiveUp => {
            endings::given_up(shared);
            return Ok(None);
        }
    }
    let Some(delivery) = shared.feed.next(index).await? else {
        shared.control.unused(index);
        // Nothing is due and nobody holds anything: the other sessions, which
        // may be waiting for their turn, have nothing to wait for.
        shared.halt.now(None);
        return Ok(None);
    };
    shared.control.keep_rate().await?;
    Item::new(shared, delivery).await.map(Some)
}

/// A delivery that is at hand, for the commands that travel ahead of it.
async fn look_ahead(shared: &Shared, index: usize) -> Result<Option<Item>, OutboxError> {
    match shared.feed.at_hand(index) {
        Some(delivery) => {
            let item = Item::new(shared, delivery).await?;
            item.begin_to_sign(shared);
            Ok(Some(item))
        }
        None => Ok(None),
    }
}

/// The first message of a session goes alone: the relay may refuse what is in
/// it. The last one has none behind it.
fn is_worth_it(shared: &Shared, session: &Session) -> bool {
    session.is_pipelining()
        && session.messages() > 0
        && session.messages() + 1 < shared.settings.messages_per_connection
        && session.age() < OLDEST_SESSION
}

async fn by_folder(case: Case<'_>, folder: &Path, item: &Item) -> Result<(), OutboxError> {
    let Case {
        shared,
        delivery,
        ready,
        ..
    } = case;
    let message = item.message(shared).await?;
    let name = folder::file_name(&ready.digest, ready.number, delivery.id);
    let Intent::Granted(attempt) = shared.store.intent(delivery.id, (shared.now)()).await? else {
        match item.permit.lasts() {
            true => settle::withdrawn(shared),
            false => settle::lapsed(shared, &item.permit, None)?,
        }
        return Ok(());
    };
    shared.feed.begun(delivery.id);
    if !item.permit.lasts() {
        return settle::lapsed(shared, &item.permit, Some(attempt));
    }
    match folder::deliver(folder, &name, &message) {
        Ok(reply) => settle::sent(case, attempt, reply).await,
        Err(error) => settle::folder_failed(shared, attempt, &folder.join(name), &error),
    }
}

/// A refusal in due form leaves the session usable, and so does an address of
/// which nothing was said. Everything else ends it.
fn keep_or_drop(session: &mut Option<Session>, trouble: &Trouble) {
    let is_kept = match trouble {
        Trouble::Refused { phase, reply } => {
            !matches!(reply.code, 421 | 503)
                && matches!(phase, Phase::Mail | Phase::Rcpt | Phase::Data | Phase::Dot)
        }
        Trouble::Address(_) => true,
        _ => false,
    };
    if !is_kept {
        *session = None;
    }
}

/// What an idle session that the relay has closed looks like.
fn is_stale(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Lost { phase, .. } => *phase == Phase::Mail,
        Trouble::Refused { phase, reply } => *phase == Phase::Mail && reply.code == 421,
        _ => false,
    }
}
