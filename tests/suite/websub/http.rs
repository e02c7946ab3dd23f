//! As much of an HTTP/1.1 server and client as a hub, a subscriber and a
//! folder of files need; over loopback, one request a connection.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use url::{Url, form_urlencoded};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            content_type: "text/plain",
            body: Vec::new(),
        }
    }
}

impl Request {
    /// The form in the body of a POST, or in the query of a GET.
    pub(crate) fn form(&self) -> HashMap<String, String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let bytes = match self.method.as_str() {
            "POST" => self.body.as_slice(),
            _ => query.as_bytes(),
        };
        form_urlencoded::parse(bytes).into_owned().collect()
    }
}

type Handler = dyn Fn(&Request) -> Response + Send + Sync;

/// A server on a free loopback port that lives as long as the test process.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let handler: Arc<Handler> = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let handler = Arc::clone(&handler);
                thread::spawn(move || serve(stream, &*handler));
            }
        });
        Self { port }
    }

    /// Serves the files of a folder, as a web server in front of `public/` does.
    pub(crate) fn of_folder(folder: PathBuf) -> Self {
        Self::start(move |request| {
            let path = request.target.split('?').next().unwrap_or_default();
            let Ok(body) = std::fs::read(folder.join(path.trim_start_matches('/'))) else {
                return Response::status(404);
            };
            let content_type = match path.rsplit('.').next() {
                Some("json") => "application/feed+json",
                _ if path.ends_with("atom.xml") => "application/atom+xml",
                _ => "application/rss+xml",
            };
            Response {
                status: 200,
                content_type,
                body,
            }
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

fn serve(mut stream: TcpStream, handler: &Handler) {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some((first, headers, body)) = message(&mut reader) else {
        return;
    };
    let mut words = first.split(' ');
    let request = Request {
        method: words.next().unwrap_or_default().to_owned(),
        target: words.next().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    let response = handler(&request);
    let head = format!(
        "HTTP/1.1 {} Said\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        response.status,
        response.content_type,
        response.body.len()
    );
    // Whoever went away does not need the answer.
    drop(stream.write_all(&[head.as_bytes(), &response.body].concat()));
}

/// Sends one request; hands back status, headers and body.
pub(crate) fn send(
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> (u16, HashMap<String, String>, Vec<u8>) {
    let url = Url::parse(url).unwrap();
    let address = (url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let query = url.query().map_or_else(String::new, |q| format!("?{q}"));
    let mut head = format!(
        "{method} {}{query} HTTP/1.1\r\nhost: {}:{}\r\ncontent-length: {}\r\nconnection: close\r\n",
        url.path(),
        address.0,
        address.1,
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let (first, headers, body) = message(&mut BufReader::new(stream)).unwrap();
    let status = first.split(' ').nth(1).unwrap().parse().unwrap();
    (status, headers, body)
}

/// First line, headers and body of a message; `None` when nothing was sent.
fn message(reader: &mut impl BufRead) -> Option<(String, HashMap<String, String>, Vec<u8>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: HashMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        })
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((lines[0].clone(), headers, body))
}
