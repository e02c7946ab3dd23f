//! The signals that ask a process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::store::Store;

/// SIGTERM and SIGINT, heard from the moment this is made: none of two is lost.
pub(super) struct Signals {
    streams: [Option<Signal>; 2],
    was_heard: bool,
}

impl Signals {
    pub(super) fn listen() -> Self {
        // Where they cannot be heard they end the process, as usual.
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        Self {
            streams: kinds.map(|kind| signal(kind).ok()),
            was_heard: false,
        }
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        let [terminate, interrupt] = &mut self.streams;
        tokio::select! {
            () = heard(terminate) => {}
            () = heard(interrupt) => {}
        }
        self.was_heard = true;
    }

    /// Does what is short unless the server goes away: then it does not wait for
    /// that once a signal was heard.
    pub(super) async fn heeded<T>(&mut self, store: &Store, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.next() => store.hurry(),
            }
        }
    }

    /// Whether one was heard: it may have come when there was nothing to stop.
    pub(super) fn was_heard(&self) -> bool {
        self.was_heard
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
