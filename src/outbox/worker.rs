//! One session's life: take a delivery, make the intent durable while the
//! relay checks the addresses, send, record; again.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    OutboxError, Shared, Stop, Way,
    control::Admission,
    folder,
    issues::Ready,
    report::{Ending, Why},
    settle,
};
use crate::{
    domain::{
        address::EmailAddress,
        delivery::{AttemptId, DueDelivery, Intent, Outcome, Phase, Reply},
    },
    mail::{
        Message,
        smtp::{Dialer, Session, Trouble},
    },
};

/// Sessions end after this, however many messages they carried.
const OLDEST_SESSION: Duration = Duration::from_secs(600);

/// Sends until nothing is due, the drain is over, or the caller says stop.
pub(super) async fn work(
    shared: Arc<Shared>,
    index: usize,
    mut stop: watch::Receiver<Stop>,
) -> Result<(), OutboxError> {
    let mut session = None;
    loop {
        retire(&shared, index, &mut session).await;
        let turn = tokio::select! {
            biased;
            () = ended(&shared, &mut stop) => break,
            turn = next(&shared, index) => turn?,
        };
        let Some(delivery) = turn else { break };
        let result = attempt(&shared, &mut session, &mut stop, &delivery).await;
        shared.feed.release(index).await;
        result?;
    }
    if let Some(session) = session {
        session.quit().await;
    }
    Ok(())
}

/// Waits until the caller says stop or the drain is over. Whoever is told so
/// takes no new message; one under way is finished.
async fn ended(shared: &Shared, stop: &mut watch::Receiver<Stop>) {
    let mut over = shared.halt.over();
    let is_stopped = tokio::select! {
        biased;
        () = stopped(stop) => true,
        _ = over.wait_for(|over| *over) => false,
    };
    if is_stopped {
        shared.halt.now(Some(Ending {
            why: Why::Stopped,
            text: "stopped on request".to_owned(),
        }));
    }
}

async fn stopped(stop: &mut watch::Receiver<Stop>) {
    if stop.wait_for(|stop| *stop != Stop::No).await.is_err() {
        // Nobody can say stop any more.
        std::future::pending::<()>().await;
    }
}

/// The relay's leave, then a delivery, then the rate's leave.
async fn next(shared: &Shared, index: usize) -> Result<Option<DueDelivery>, OutboxError> {
    if shared.control.admit(index).await == Admission::GiveUp {
        settle::given_up(shared);
        return Ok(None);
    }
    let Some(delivery) = shared.feed.next(index).await? else {
        shared.control.unused();
        // Nothing is due and nobody holds anything: the other sessions, which
        // may be waiting for their turn, have nothing to wait for.
        shared.halt.now(None);
        return Ok(None);
    };
    shared.control.keep_rate().await;
    Ok(Some(delivery))
}

async fn attempt(
    shared: &Shared,
    session: &mut Option<Session>,
    stop: &mut watch::Receiver<Stop>,
    delivery: &DueDelivery,
) -> Result<(), OutboxError> {
    let ready = shared.issues.get(delivery.issue).await?;
    let message = shared.compose.message(&ready, delivery).await?;
    match &shared.way {
        Way::Folder(folder) => {
            let name = folder::file_name(&ready.digest, ready.number, delivery.id);
            to_folder(shared, delivery, folder, &name, &message).await
        }
        Way::Smtp(dialer) => {
            let line = Line {
                dialer,
                session,
                stop,
            };
            to_relay(shared, line, delivery, &ready, &message).await
        }
    }
}

async fn to_folder(
    shared: &Shared,
    delivery: &DueDelivery,
    folder: &Path,
    name: &str,
    message: &Message,
) -> Result<(), OutboxError> {
    let Intent::Granted(attempt) = shared.store.intent(delivery.id, (shared.now)()).await? else {
        return settle::withdrawn(shared).await;
    };
    match folder::deliver(folder, name, message) {
        Ok(reply) => settle::sent(shared, delivery, attempt, reply).await,
        Err(error) => settle::folder_failed(shared, attempt, &folder.join(name), &error),
    }
}

/// What one try in one session came to.
enum Tried {
    /// The relay took it.
    Sent(AttemptId, Reply),
    /// The reader left or the issue was paused before the intent.
    Withdrawn,
    /// Something went wrong; `None` when no intent had been made.
    Troubled(Option<AttemptId>, Trouble),
}

/// A session's way to the relay.
struct Line<'w> {
    dialer: &'w Dialer,
    session: &'w mut Option<Session>,
    stop: &'w mut watch::Receiver<Stop>,
}

async fn to_relay(
    shared: &Shared,
    line: Line<'_>,
    delivery: &DueDelivery,
    ready: &Ready,
    message: &Message,
) -> Result<(), OutboxError> {
    let Line {
        dialer,
        session,
        stop,
    } = line;
    let Ok(from) = message.envelope_from().parse::<EmailAddress>() else {
        let reason = "its envelope sender is no address".to_owned();
        return settle::failed(shared, delivery, reason).await;
    };
    // A session that the relay closed while it was idle is replaced once
    // without a word.
    let mut may_reconnect = session.as_ref().is_some_and(|s| s.messages() > 0);
    loop {
        let open = match session {
            Some(open) => open,
            None => {
                let opened = tokio::select! {
                    biased;
                    // Nothing was promised to anybody yet, and a relay that
                    // does not answer may be waited for for minutes.
                    () = ended(shared, stop) => return Ok(()),
                    opened = dialer.open() => opened,
                };
                match opened {
                    Ok(opened) => session.insert(opened),
                    Err(trouble) => {
                        return settle::troubled(shared, session, delivery, ready, None, trouble)
                            .await;
                    }
                }
            }
        };
        match try_once(shared, open, &from, delivery, message).await? {
            Tried::Sent(attempt, reply) => {
                return settle::sent(shared, delivery, attempt, reply).await;
            }
            Tried::Withdrawn => {
                shared.control.unused();
                reset(session).await;
                return settle::withdrawn(shared).await;
            }
            Tried::Troubled(attempt, trouble) if may_reconnect && is_stale(&trouble) => {
                may_reconnect = false;
                *session = None;
                settle::requeue(shared, attempt, &trouble);
            }
            Tried::Troubled(attempt, trouble) => {
                return settle::troubled(shared, session, delivery, ready, attempt, trouble).await;
            }
        }
    }
}

/// The intent is committed while the relay answers MAIL and RCPT; DATA waits
/// for both. An intent that came to nothing is taken back by its outcome.
async fn try_once(
    shared: &Shared,
    session: &mut Session,
    from: &EmailAddress,
    delivery: &DueDelivery,
    message: &Message,
) -> Result<Tried, OutboxError> {
    let (envelope, intent) = tokio::join!(
        session.envelope(from, &delivery.address),
        shared.store.intent(delivery.id, (shared.now)()),
    );
    let attempt = match intent? {
        Intent::Granted(attempt) => Some(attempt),
        Intent::Refused => None,
    };
    if let Err(trouble) = envelope {
        return Ok(Tried::Troubled(attempt, trouble));
    }
    let Some(attempt) = attempt else {
        return Ok(Tried::Withdrawn);
    };
    let pieces = without_last_line_end(message);
    Ok(match session.message(pieces, message.size()).await {
        Ok(reply) => Tried::Sent(attempt, reply),
        Err(trouble) => Tried::Troubled(Some(attempt), trouble),
    })
}

/// lettre ends the message with CRLF, dot, CRLF itself.
fn without_last_line_end(message: &Message) -> impl Iterator<Item = &[u8]> {
    let mut pieces = message.pieces().peekable();
    std::iter::from_fn(move || {
        let piece = pieces.next()?;
        Some(match pieces.peek() {
            Some(_) => piece,
            None => piece.strip_suffix(b"\r\n").unwrap_or(piece),
        })
    })
}

/// Ends a session that is old, has carried enough, or is one too many now.
async fn retire(shared: &Shared, index: usize, session: &mut Option<Session>) {
    let is_spent = session.as_ref().is_some_and(|open| {
        open.messages() >= shared.settings.messages_per_connection
            || open.age() >= OLDEST_SESSION
            || !shared.control.is_wanted(index)
    });
    if is_spent && let Some(spent) = session.take() {
        spent.quit().await;
    }
}

/// After a transaction that was not finished: the session is used on, or dropped.
pub(super) async fn reset(session: &mut Option<Session>) {
    let is_well = match session {
        Some(open) => open.reset().await.is_ok(),
        None => true,
    };
    if !is_well {
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

/// An attempt that ended without a word from the relay.
pub(super) fn requeued(trouble: &Trouble) -> Outcome {
    Outcome::Requeued {
        reason: trouble.to_string(),
    }
}
