//! A proxy on loopback that does TLS and hands everything on, as Caddy or nginx
//! do before `serve`.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use tokio_rustls::TlsAcceptor;

use crate::harness::chaos::tls::{Identity, Keys};

/// The proxy; it ends with the process.
pub(crate) struct TlsFront {
    port: u16,
    authority_pem: String,
}

impl TlsFront {
    /// Takes TLS connections with this certificate for `localhost`, for a
    /// server on another port.
    pub(crate) fn before(target: u16, identity: Identity) -> Self {
        let keys = Keys::make(identity);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::clone(&keys.server));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(hand_on(listener, acceptor, target));
        });
        Self {
            port,
            authority_pem: keys.authority_pem,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }

    /// Whom one has to trust.
    pub(crate) fn authority_pem(&self) -> &str {
        &self.authority_pem
    }
}

async fn hand_on(listener: TcpListener, acceptor: TlsAcceptor, target: u16) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((outer, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Who does not trust the certificate goes away again.
            let Ok(mut outer) = acceptor.accept(outer).await else {
                return;
            };
            let Ok(mut inner) = tokio::net::TcpStream::connect(("127.0.0.1", target)).await else {
                return;
            };
            drop(tokio::io::copy_bidirectional(&mut outer, &mut inner).await);
        });
    }
}
