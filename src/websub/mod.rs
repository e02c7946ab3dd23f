//! Tells a WebSub hub that a feed changed (W3C WebSub, "Publishing"; the form
//! of the request is that of PubSubHubbub 0.4, which hubs kept).
//!
//! The hub then fetches the feed and passes it on to whoever subscribed to it.
//! Nothing here keeps anything: what is still to be told is in the ledger.

mod patience;

use std::time::Duration;

use ureq::{
    Agent,
    http::{StatusCode, header::LOCATION},
};
use url::{Url, form_urlencoded};

use crate::client;

pub use patience::{GIVE_UP_AFTER, Verdict, after_failure};

/// Longest waits for a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name, TCP connection and TLS together.
    pub connect: Duration,
    /// One request from beginning to end.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
        }
    }
}

/// A hub that says "ask there instead" is followed so often.
const REDIRECTS: usize = 3;

/// Why a hub was not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// It does not answer: no use in asking it for another feed now.
    #[error("no answer: {0}")]
    Away(String),
    /// It answers, but not with a 2xx.
    #[error("it answered {0}")]
    Answer(String),
    /// It sends us where we do not go.
    #[error("it redirects to {0}; name its new address in `feeds.hub`")]
    Redirect(String),
}

/// One hub, and the connection that is kept to it.
#[derive(Debug)]
pub struct Hub {
    address: Url,
    agent: Agent,
}

impl Hub {
    /// A hub at an `http(s)` address. Connects to nobody yet. Proxies named in
    /// the environment are not used.
    #[must_use]
    pub fn new(address: &Url, limits: Limits) -> Self {
        let agent = client::agent(address.scheme(), limits.connect, limits.request);
        Self {
            address: address.clone(),
            agent,
        }
    }

    /// Tells the hub that the feed at `topic` changed. Blocks, no longer than
    /// the limits allow.
    ///
    /// # Errors
    /// When the hub does not say that it accepts the news.
    pub fn ping(&self, topic: &str) -> Result<(), PingError> {
        // `hub.url` is what older hubs read, `hub.topic` what the
        // recommendation calls it everywhere else.
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "publish")
            .append_pair("hub.topic", topic)
            .append_pair("hub.url", topic)
            .finish();
        let mut to = self.address.clone();
        for _ in 0..=REDIRECTS {
            match self.ask(&to, &form)? {
                Answer::Accepted => return Ok(()),
                Answer::ElsewhereAt(next) => to = next,
            }
        }
        Err(PingError::Redirect(to.to_string()))
    }

    fn ask(&self, to: &Url, form: &str) -> Result<Answer, PingError> {
        let response = self
            .agent
            .post(to.as_str())
            .content_type("application/x-www-form-urlencoded")
            .send(form)
            .map_err(|error| PingError::Away(client::phrase(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Answer::Accepted);
        }
        // The others turn the form into a GET, which tells a hub nothing.
        let keeps_the_form = matches!(
            status,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        let location = response.headers().get(LOCATION);
        let next = location.and_then(|value| to.join(value.to_str().ok()?).ok());
        match next {
            Some(next) if keeps_the_form && may_follow(to, &next) => Ok(Answer::ElsewhereAt(next)),
            Some(next) if status.is_redirection() => Err(PingError::Redirect(without_login(next))),
            _ => Err(PingError::Answer(status.to_string())),
        }
    }
}

enum Answer {
    Accepted,
    ElsewhereAt(Url),
}

/// Never from `https` to something anybody can read, never with a login that
/// somebody else chose.
fn may_follow(from: &Url, to: &Url) -> bool {
    to.scheme() == from.scheme() && to.username().is_empty() && to.password().is_none()
}

fn without_login(mut url: Url) -> String {
    // Addresses without a host have no login either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, TcpListener, TcpStream},
        thread::{self, JoinHandle},
    };

    use super::*;

    /// Answers each connection with the next of `answers`; hands back what it
    /// was sent.
    fn server(answers: Vec<String>) -> (Url, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/hub?key=1", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            answers
                .into_iter()
                .map(|answer| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let request = read_request(&mut stream);
                    stream.write_all(answer.as_bytes()).unwrap();
                    request
                })
                .collect()
        });
        (Url::parse(&url).unwrap(), thread)
    }

    fn read_request(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length").then_some(value)
                })
                .unwrap();
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
    }

    fn answer(status: &str, headers: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
    }

    fn ping(url: &Url) -> Result<(), PingError> {
        Hub::new(url, Limits::default()).ping("https://magazine.example.org/rss.xml?a=1&b=ü")
    }

    #[test]
    fn the_news_is_one_form() {
        let (url, thread) = server(vec![answer("204 No Content", "")]);
        ping(&url).unwrap();
        let request = thread.join().unwrap().remove(0);
        assert!(
            request.starts_with("POST /hub?key=1 HTTP/1.1\r\n"),
            "{request}"
        );
        let topic = "https%3A%2F%2Fmagazine.example.org%2Frss.xml%3Fa%3D1%26b%3D%C3%BC";
        let form = format!("hub.mode=publish&hub.topic={topic}&hub.url={topic}");
        assert!(request.ends_with(&form), "{request}");
        assert!(!request.to_lowercase().contains("authorization"));
    }

    #[test]
    fn an_answer_that_is_no_2xx_is_a_failure_in_its_own_words() {
        let (url, thread) = server(vec![answer("500 Internal Server Error", "")]);
        let error = ping(&url).unwrap_err();
        thread.join().unwrap();
        assert_eq!(error.to_string(), "it answered 500 Internal Server Error");
    }

    #[test]
    fn a_redirect_that_keeps_the_form_is_followed_on_the_same_scheme_only() {
        let (second, second_thread) = server(vec![answer("202 Accepted", "")]);
        let to = format!("location: {second}\r\n");
        let (first, first_thread) = server(vec![answer("307 Temporary Redirect", &to)]);
        ping(&first).unwrap();
        first_thread.join().unwrap();
        let request = second_thread.join().unwrap().remove(0);
        assert!(request.contains("hub.mode=publish"), "{request}");

        for (status, place) in [
            ("308 Permanent Redirect", "gopher://hub.example.net/"),
            ("307 Temporary Redirect", "https://hub.example.net/"),
            ("307 Temporary Redirect", "http://name:secret@127.0.0.1:1/"),
            ("302 Found", "/elsewhere"),
        ] {
            let (url, thread) = server(vec![answer(status, &format!("location: {place}\r\n"))]);
            let error = ping(&url).unwrap_err();
            thread.join().unwrap();
            assert!(matches!(error, PingError::Redirect(_)), "{place}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_hub_that_is_away_or_says_nothing_is_left_in_time() {
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = Url::parse(&format!("http://{}/", gone.local_addr().unwrap())).unwrap();
        let limits = Limits {
            connect: Duration::from_millis(100),
            request: Duration::from_millis(200),
        };
        // It accepts, since the system does, and never answers.
        let error = Hub::new(&url, limits)
            .ping("https://example.org/")
            .unwrap_err();
        assert_eq!(error.to_string(), "no answer: it takes too long");
        drop(gone);
        let error = ping(&url).unwrap_err();
        assert_eq!(error.to_string(), "no answer: connection refused");
    }
}
