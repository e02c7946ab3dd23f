//! The server: loopback only, a bound on connections and on slow requests, and
//! an end that waits for what is under way but not for ever.

use std::{future::Future, io, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use super::{
    accept::accept,
    answer::{Answer, Asked, Trust},
    guard, live,
};

/// More connections wait in the system's queue.
const MOST_CONNECTIONS: usize = 64;
/// The head of a request must be complete by then.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A form holds a few words.
const LARGEST_FORM: usize = 8 * 1024;
/// What is under way at the end gets so long.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What answers requests; called where it may take its time.
pub type Site = dyn Fn(&Asked) -> Answer + Send + Sync;

#[derive(Clone)]
struct Served {
    site: Arc<Site>,
    versions: watch::Receiver<String>,
    stopping: watch::Receiver<bool>,
}

/// Takes a port of this machine that other machines cannot reach; 0 is any
/// free one.
///
/// # Errors
/// When the port is taken or not allowed.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Answers with what `site` says until `stop`. Whoever listens to
/// [`EVENTS`](super::EVENTS) hears of each new one of `versions`.
pub async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    versions: watch::Receiver<String>,
    stop: impl Future<Output = ()>,
) {
    let (stop_all, stopping) = watch::channel(false);
    let served = Served {
        site,
        versions,
        stopping: stopping.clone(),
    };
    let router = Router::new()
        .route(live::EVENTS, get(events))
        .fallback(page)
        .layer(middleware::from_fn(guard::guard))
        .with_state(served);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut open = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => {
                if let Some((stream, _, place)) = accepted {
                    open.spawn(converse(stream, place, router.clone(), stopping.clone()));
                }
            }
            Some(_) = open.join_next() => {}
        }
    }
    stop_all.send_replace(true);
    let ended = async { while open.join_next().await.is_some() {} };
    // Who does not end by then is cut off when the set is dropped.
    let _ = tokio::time::timeout(LAST_MOMENT, ended).await;
}

async fn converse(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    // A client that breaks off or talks nonsense is its own concern.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn events(State(served): State<Served>) -> impl IntoResponse {
    live::events(served.versions, served.stopping)
}

/// The fields of a form, if they are few and come in time.
async fn form(body: Body) -> Option<String> {
    let bytes = tokio::time::timeout(HEAD_PATIENCE, to_bytes(body, LARGEST_FORM)).await;
    String::from_utf8(bytes.ok()?.ok()?.to_vec()).ok()
}

async fn page(State(served): State<Served>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let form = match head.method {
        Method::POST => match form(body).await {
            Some(form) => Some(form),
            None => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        },
        _ => None,
    };
    let asked = Asked {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        host: guard::host(headers).to_owned(),
        is_framed: guard::says(headers, "sec-fetch-dest", "iframe"),
        form,
    };
    let answered = tokio::task::spawn_blocking(move || (served.site)(&asked)).await;
    let mut response = match answered {
        Ok(answer) => answer.into_response(),
        Err(_) => Answer::of(
            "text/plain; charset=utf-8",
            Trust::File,
            "internal error; please report it\n",
        )
        .status(500)
        .into_response(),
    };
    // The same address answers frames and windows differently.
    let vary = header::HeaderValue::from_static("sec-fetch-dest");
    response.headers_mut().insert(header::VARY, vary);
    response
}
