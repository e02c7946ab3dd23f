//! A preview that runs, and what one sees of it over HTTP.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use url::Url;

use crate::html::Html;
use crate::press::Press;
use crate::process::{Finished, Running};

/// Nothing takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

const ARGUMENTS: [&str; 3] = ["preview", "--port", "0"];

/// A preview of a publication.
pub(super) struct Preview {
    running: Running,
    home: Url,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn media_type(&self) -> &str {
        self.headers.get("content-type").map_or("", String::as_str)
    }
}

impl Preview {
    /// Starts on any free port and waits for the address.
    #[track_caller]
    pub(super) fn of(press: &Press) -> Self {
        Self::started(press.spawn(&ARGUMENTS))
    }

    /// Starts inside another program.
    #[track_caller]
    pub(super) fn under(wrapper: &[&str], press: &Press) -> Self {
        Self::started(press.spawn_under(wrapper, &ARGUMENTS))
    }

    #[track_caller]
    fn started(mut running: Running) -> Self {
        let home = running.first_line().parse().unwrap();
        Self { running, home }
    }

    /// The address that it printed.
    pub(super) fn home(&self) -> &Url {
        &self.home
    }

    /// Its own pages and the publication's alike, by path.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.host());
        self.send(&request)
    }

    /// A page that has to be there.
    #[track_caller]
    pub(super) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}\n{answer:?}");
        answer.text()
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.home.port().unwrap())
    }

    /// Sends the head of a request as it is, but for its end.
    #[track_caller]
    pub(super) fn send(&self, head: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "{head}connection: close\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        let length = headers.get("content-length");
        assert_eq!(
            length.map(|length| length.parse().unwrap()),
            (status != 204).then_some(body.len()),
            "{head}: the whole body"
        );
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Sends a form, with these headers beside.
    #[track_caller]
    pub(super) fn post(&self, path: &str, headers: &str, form: &str) -> Answer {
        let length = form.len();
        let mut stream = self.connect();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {length}\r\n{headers}connection: close\r\n\r\n{form}",
            self.host()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        Answer {
            status,
            headers,
            body,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Listens as an open page does.
    #[track_caller]
    pub(super) fn listen(&self) -> Events {
        let mut stream = self.connect();
        let path = "/_preview/events";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n",
            self.host()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "text/event-stream");
        Events { reader }
    }

    /// Every page and file that links lead to from the first one on, here.
    pub(super) fn crawl(&self) -> Vec<(String, Answer)> {
        let mut wanted = vec![self.home.path().to_owned()];
        let mut seen: BTreeSet<String> = wanted.iter().cloned().collect();
        let mut found = Vec::new();
        while let Some(path) = wanted.pop() {
            let answer = self.get(&path);
            if answer.media_type().starts_with("text/html") {
                let page = Html::read(&answer.text());
                for link in links(&page) {
                    let link = self.home.join(&path).unwrap().join(&link).unwrap();
                    let target = link.path().to_owned()
                        + &link
                            .query()
                            .map_or_else(String::new, |query| format!("?{query}"));
                    if link.origin() == self.home.origin() && seen.insert(target.clone()) {
                        wanted.push(target);
                    }
                }
            }
            found.push((path, answer));
        }
        found
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub(super) fn end(mut self, signal: rustix::process::Signal) -> Finished {
        self.running.signal(signal);
        self.running.wait()
    }
}

fn links(page: &Html) -> Vec<String> {
    let of = |element: &crate::html::Element| {
        let links = ["href", "src"].map(|name| element.attribute(name));
        // None of our addresses holds a comma.
        let set = element.attribute("srcset").unwrap_or_default().split(',');
        let set = set.filter_map(|candidate| candidate.split_whitespace().next());
        let links = links.into_iter().flatten().chain(set).map(str::to_owned);
        links.collect::<Vec<_>>()
    };
    let links = page.elements.iter().flat_map(of);
    links.filter(|link| !link.starts_with("data:")).collect()
}

fn read_head(reader: &mut impl BufRead) -> (u16, HashMap<String, String>) {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "no answer");
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &String| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_lowercase(), value.trim().to_owned())
    };
    (status, lines[1..].iter().map(header).collect())
}

/// The events that a page listens to.
pub(super) struct Events {
    reader: BufReader<TcpStream>,
}

impl Events {
    /// The next version; `None` when the server has ended the stream.
    #[track_caller]
    pub(super) fn next(&mut self) -> Option<String> {
        let since = Instant::now();
        loop {
            // The server says now and then that it is still there.
            assert!(since.elapsed() < PATIENCE, "no new version");
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(version) = line.trim_end().strip_prefix("data: ") {
                return Some(version.to_owned());
            }
        }
    }

    /// Waits until the last chunk was sent.
    pub(super) fn end(mut self) {
        let mut rest = String::new();
        self.reader.read_to_string(&mut rest).unwrap();
        assert!(
            rest.ends_with("0\r\n\r\n"),
            "the stream ends properly: {rest:?}"
        );
    }
}
