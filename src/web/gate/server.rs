//! The door to the world: bounds on connections, on slow senders and slow
//! readers, and an end that lets answers under way be given.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::stall::Stalling;
use crate::{domain::network::Network, web::accept::accept};

/// More connections wait in the system's queue.
const MOST_CONNECTIONS: usize = 512;
/// At most so many of them from one address, unless it is a proxy of ours.
const MOST_OF_ONE: u32 = 32;
/// The head of a request must be complete by then; also how long an idle
/// connection is kept.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A head is no larger than this, in bytes and in lines.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// Who takes nothing of an answer for so long is given up.
const STALL: Duration = Duration::from_secs(20);
/// No connection lives longer, however busy it is.
const MOST_AGE: Duration = Duration::from_secs(15 * 60);
/// What is under way at the end gets so long: a reader who leaves may wait for
/// the ledger.
const LAST_MOMENT: Duration = Duration::from_secs(10);

/// Answers with what `answer` says until `stop`. Addresses in `trusted` may
/// open any number of connections, as may this machine; `refused` hears of each
/// that is closed at once.
pub(in crate::web) async fn open<A, F>(
    listener: TcpListener,
    trusted: Vec<Network>,
    answer: A,
    refused: impl Fn(),
    stop: impl Future<Output = ()>,
) where
    A: Fn(IpAddr, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send,
{
    let (stop_all, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let guests = Guests::default();
    let mut open = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => {
                let Some((stream, peer, place)) = accepted else {
                    continue;
                };
                let is_ours = peer.is_loopback() || trusted.iter().any(|t| t.contains(peer));
                let Some(guest) = guests.enter(peer, is_ours) else {
                    refused();
                    continue;
                };
                let (answer, stopping) = (answer.clone(), stopping.clone());
                open.spawn(async move {
                    let _held = (place, guest);
                    let conversation = converse(stream, peer, answer, stopping);
                    // Who talks for ever is cut off.
                    let _ = tokio::time::timeout(MOST_AGE, conversation).await;
                });
            }
            Some(_) = open.join_next() => {}
        }
    }
    drop(listener);
    stop_all.send_replace(true);
    let ended = async { while open.join_next().await.is_some() {} };
    // Who does not end by then is cut off when the set is dropped.
    let _ = tokio::time::timeout(LAST_MOMENT, ended).await;
}

async fn converse<A, F>(
    stream: TcpStream,
    peer: IpAddr,
    answer: A,
    mut stopping: watch::Receiver<bool>,
) where
    A: Fn(IpAddr, Request) -> F,
    F: Future<Output = Response> + Send,
{
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let answered = answer(peer, request.map(Body::new));
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(Stalling::new(stream, STALL)), service);
    tokio::pin!(connection);
    // A client that breaks off or talks nonsense is its own concern.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// How many connections each address has.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<HashMap<Network, u32>>>);

/// One connection of an address; the end of it makes room for another.
struct Guest {
    guests: Guests,
    network: Network,
}

impl Guests {
    /// Lets a connection in, if its address has not too many.
    fn enter(&self, peer: IpAddr, is_ours: bool) -> Option<Guest> {
        let network = Network::of_one(peer);
        let mut counts = self.0.lock().unwrap_or_else(|held| held.into_inner());
        let count = counts.entry(network).or_default();
        if *count >= MOST_OF_ONE && !is_ours {
            return None;
        }
        *count += 1;
        Some(Guest {
            guests: self.clone(),
            network,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self
            .guests
            .0
            .lock()
            .unwrap_or_else(|held| held.into_inner());
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_connections_and_a_proxy_as_many_as_it_likes() {
        let guests = Guests::default();
        let peer = IpAddr::from([203, 0, 113, 7]);
        let mut held: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| guests.enter(peer, false).unwrap())
            .collect();
        assert!(guests.enter(peer, false).is_none());
        assert!(guests.enter([203, 0, 113, 8].into(), false).is_some());
        held.pop();
        held.push(guests.enter(peer, false).unwrap());
        drop(held);
        assert!(guests.0.lock().unwrap().is_empty());
        let all: Vec<_> = (0..2 * MOST_OF_ONE)
            .map(|_| guests.enter(peer, true).unwrap())
            .collect();
        assert_eq!(all.len(), 64);
    }
}
