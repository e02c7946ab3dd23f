//! Taking connections, no more than there are places for.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Accepting fails when the process has too many files open: wait for some to
/// be closed.
const PAUSE: Duration = Duration::from_millis(50);

/// The next connection and who opened it, when there is a place for it.
pub(super) async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small: none waits for more to send.
            drop(stream.set_nodelay(true));
            Some((stream, peer.ip().to_canonical(), place))
        }
        Err(_) => {
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}
