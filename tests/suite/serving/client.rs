//! A `serve` that runs, and what readers, mailbox providers and scanners send it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::mailbox::Mail;
use crate::press::Press;
use crate::process::{Finished, Running};

/// Nothing takes longer, however busy the machine is.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

/// The web part of a publication.
pub(crate) struct Served {
    running: Running,
    port: u16,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case, in the order they came; without the date.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        // Pages begin with a long style sheet.
        let body = body.split("</style>").last().unwrap();
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(super) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Served {
    /// Starts on any free port and waits for the address.
    #[track_caller]
    pub(crate) fn of(press: &Press) -> Self {
        let mut running = press.spawn(&["serve", "--listen", "127.0.0.1:0"]);
        let line = running.first_line();
        let port = line.trim_end_matches('/').rsplit(':').next().unwrap();
        Self {
            port: port.parse().unwrap(),
            running,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.running.pid()
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request with these lines of a head, and a body.
    #[track_caller]
    pub(super) fn ask(&self, method: &str, path: &str, head: &str, body: &[u8]) -> Answer {
        self.try_ask(method, path, head, body).unwrap()
    }

    /// The same of a server that may be dead.
    pub(super) fn try_ask(
        &self,
        method: &str,
        path: &str,
        head: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = match body.is_empty() && method != "POST" {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: letters.example.org\r\n{head}{length}connection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        try_answer(&mut BufReader::new(stream), method == "HEAD")
    }

    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    #[track_caller]
    pub(super) fn post(&self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, FORM, form.as_bytes())
    }

    /// One click as Gmail sends it: a form of one field (RFC 8058, 3.2).
    #[track_caller]
    pub(super) fn one_click(&self, path: &str) -> Answer {
        self.try_one_click(path).unwrap()
    }

    /// The same of a server that may be dead.
    pub(super) fn try_one_click(&self, path: &str) -> io::Result<Answer> {
        self.try_ask("POST", path, FORM, b"List-Unsubscribe=One-Click")
    }

    /// The value of a figure, nought while it has none.
    #[track_caller]
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Asks it to read its settings again.
    pub(super) fn hang_up(&mut self) {
        self.running.signal(Signal::HUP);
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(super) fn wait_for(&mut self, words: &str) {
        self.running.wait_for_stderr(words);
    }

    /// Asks it to end and waits.
    #[track_caller]
    pub(crate) fn end(mut self) -> Finished {
        self.running.signal(Signal::TERM);
        self.running.wait()
    }

    pub(super) fn kill(self) -> Finished {
        self.running.kill()
    }
}

/// Reads one answer; of a question for the head alone there is no body.
#[track_caller]
pub(super) fn answer(reader: &mut impl BufRead, is_head: bool) -> Answer {
    try_answer(reader, is_head).unwrap()
}

fn try_answer(reader: &mut impl BufRead, is_head: bool) -> io::Result<Answer> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::Error::other(format!("cut off after {lines:?}")));
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_owned())
        })
        .filter(|(name, _)| name != "date")
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = Vec::new();
    if !is_head && status != 304 {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// The mails of an outbox folder, by the reader they are for.
pub(super) fn mails(press: &Press) -> Vec<(String, Mail)> {
    let files = press.files("outbox");
    let mails = files
        .iter()
        .map(|file| Mail::parse(&press.read_bytes(file)));
    mails.map(|mail| (mail.to[0].clone(), mail)).collect()
}

/// The path that one click on "unsubscribe" leads to.
#[track_caller]
pub(super) fn unsubscribe_path(mail: &Mail) -> String {
    let header = mail.header("List-Unsubscribe").unwrap();
    let url = header
        .split(['<', '>'])
        .find(|part| part.starts_with("https:"));
    let path = url
        .unwrap()
        .strip_prefix("https://letters.example.org")
        .unwrap();
    path.to_owned()
}

/// The path at which a mail has a reader's token for this page.
#[track_caller]
pub(super) fn path_to(page: &str, mail: &Mail) -> String {
    let found = paths(mail)
        .into_iter()
        .find(|path| path.starts_with(&format!("/{page}/")));
    found.unwrap_or_else(|| panic!("no {page} in {:?}", mail.text))
}

/// Every path of ours and of the website that a mail leads to.
pub(super) fn paths(mail: &Mail) -> BTreeSet<String> {
    let raw = [
        mail.html.as_deref(),
        mail.text.as_deref(),
        mail.header("List-Unsubscribe"),
    ];
    let all = raw.map(Option::unwrap_or_default).join("\n");
    let mut found = BTreeSet::new();
    for host in ["https://letters.example.org", "https://garden.example.org"] {
        for piece in all.split(host).skip(1) {
            let end = piece.find(|c: char| c.is_whitespace() || "\"'<>)]".contains(c));
            found.insert(
                piece[..end.unwrap_or(piece.len())]
                    .trim_end_matches(['.', ','])
                    .to_owned(),
            );
        }
    }
    found
}
