//! A WebSub hub and a subscriber that follow the W3C recommendation: verified
//! subscriptions, topics fetched on a publisher's word, signed distribution.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::{Url, form_urlencoded};

use super::http::{Request, Response, Server, send};

/// A running hub.
pub(crate) struct Hub {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is answered to the next publishers instead of 204.
    refusals: VecDeque<u16>,
    /// Topics in the order of the publishers' words, refused ones included.
    asked: Vec<String>,
    /// Topics that were accepted.
    accepted: Vec<String>,
    subscriptions: Vec<Subscription>,
    /// What every topic was when it was last distributed.
    seen: HashMap<String, Vec<u8>>,
}

#[derive(Clone)]
struct Subscription {
    topic: String,
    callback: String,
    secret: String,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(request, &shared));
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Answers the next publishers with these instead.
    pub(crate) fn refuse(&self, statuses: impl IntoIterator<Item = u16>) {
        self.state.lock().unwrap().refusals.extend(statuses);
    }

    /// How many refusals nobody has asked for yet; they are called off.
    pub(crate) fn recover(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().refusals).len()
    }

    /// The topics accepted since the last time, sorted.
    pub(crate) fn accepted(&self) -> Vec<String> {
        let mut topics = std::mem::take(&mut self.state.lock().unwrap().accepted);
        topics.sort();
        topics
    }

    /// How often publishers asked since the last time.
    pub(crate) fn asked(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().asked).len()
    }
}

fn answer(request: &Request, state: &Mutex<State>) -> Response {
    let form = request.form();
    let value = |name: &str| form.get(name).cloned().unwrap_or_default();
    let is_form = request
        .headers
        .get("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if request.method != "POST" || !is_form {
        return Response::status(400);
    }
    match value("hub.mode").as_str() {
        "subscribe" => subscribe(
            Subscription {
                topic: value("hub.topic"),
                callback: value("hub.callback"),
                secret: value("hub.secret"),
            },
            state,
        ),
        "publish" => {
            let topic = value("hub.url");
            if Url::parse(&topic).is_err() || topic != value("hub.topic") {
                return Response::status(400);
            }
            publish(&topic, state)
        }
        _ => Response::status(400),
    }
}

/// Section 5.3: the subscriber has to repeat a challenge.
fn subscribe(subscription: Subscription, state: &Mutex<State>) -> Response {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.topic", &subscription.topic)
        .append_pair("hub.challenge", "4711")
        .append_pair("hub.lease_seconds", "864000")
        .finish();
    let url = format!("{}?{query}", subscription.callback);
    let (status, _, body) = send("GET", &url, &[], b"");
    if status != 200 || body != b"4711" {
        return Response::status(400);
    }
    state.lock().unwrap().subscriptions.push(subscription);
    Response::status(202)
}

fn publish(topic: &str, state: &Mutex<State>) -> Response {
    let mut state = state.lock().unwrap();
    state.asked.push(topic.to_owned());
    if let Some(status) = state.refusals.pop_front() {
        return Response::status(status);
    }
    let (status, headers, body) = send("GET", topic, &[], b"");
    assert_eq!(status, 200, "the hub cannot fetch {topic}");
    state.accepted.push(topic.to_owned());
    if state.seen.insert(topic.to_owned(), body.clone()).as_ref() != Some(&body) {
        for one in state.subscriptions.iter().filter(|one| one.topic == topic) {
            distribute(one, &headers["content-type"], &body);
        }
    }
    Response::status(204)
}

/// Section 7: the whole topic, its links, and a signature.
fn distribute(subscription: &Subscription, content_type: &str, body: &[u8]) {
    let signature = format!("sha256={}", sign(&subscription.secret, body));
    let link = format!("<{}>; rel=\"self\"", subscription.topic);
    let headers = [
        ("content-type", content_type.to_owned()),
        ("link", link),
        ("x-hub-signature", signature),
    ];
    send("POST", &subscription.callback, &headers, body);
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// A subscriber that takes only what is signed with its secret.
pub(crate) struct Subscriber {
    server: Server,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// What subscriber and hub share.
const SECRET: &str = "a secret of 31 letters for tests";

impl Subscriber {
    pub(crate) fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let inbox = Arc::clone(&received);
        let server = Server::start(move |request| {
            if let Some(challenge) = request.form().get("hub.challenge") {
                return Response {
                    body: challenge.clone().into_bytes(),
                    ..Response::status(200)
                };
            }
            let expected = format!("sha256={}", sign(SECRET, &request.body));
            assert_eq!(request.headers["x-hub-signature"], expected);
            inbox.lock().unwrap().push(request.body.clone());
            Response::status(200)
        });
        Self { server, received }
    }

    /// Subscribes to a topic and waits until the hub has agreed.
    pub(crate) fn subscribe(&self, hub: &Hub, topic: &str) {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.topic", topic)
            .append_pair("hub.callback", &self.server.url())
            .append_pair("hub.secret", SECRET)
            .finish();
        let kind = "application/x-www-form-urlencoded".to_owned();
        let (status, ..) = send(
            "POST",
            &hub.url(),
            &[("content-type", kind)],
            form.as_bytes(),
        );
        assert_eq!(status, 202);
    }

    /// What has arrived since the last time.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}
