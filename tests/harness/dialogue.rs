//! A bare SMTP client that shares nothing with the program under test: it
//! sends what it is told and reports the codes it hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// One connection to a server, plain or encrypted.
pub(crate) struct Dialogue<S = TcpStream> {
    reader: BufReader<S>,
}

impl Dialogue {
    /// Connects, hears the greeting, says EHLO.
    pub(crate) fn open(port: u16) -> Self {
        let mut dialogue = Self {
            reader: BufReader::new(connect(port)),
        };
        assert_eq!(dialogue.reply(), "220");
        assert_eq!(dialogue.say("EHLO client.example.org"), "250");
        dialogue
    }
}

/// A connection on which nothing was said yet.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let limit = Duration::from_secs(20);
    stream.set_read_timeout(Some(limit)).unwrap();
    stream
}

/// The client's side of TLS, trusting only this authority.
pub(crate) fn encrypt(
    stream: TcpStream,
    authority: &Path,
) -> Dialogue<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Dialogue {
        reader: BufReader::new(StreamOwned::new(connection, stream)),
    }
}

impl<S: Read + Write> Dialogue<S> {
    /// The stream below, for the start of TLS.
    pub(crate) fn into_inner(self) -> S {
        self.reader.into_inner()
    }

    /// Sends a line and hears the code of the reply; empty when closed.
    pub(crate) fn say(&mut self, line: &str) -> String {
        drop(
            self.reader
                .get_mut()
                .write_all(format!("{line}\r\n").as_bytes()),
        );
        self.reply()
    }

    /// Hears one reply; its code, or empty when closed.
    pub(crate) fn reply(&mut self) -> String {
        loop {
            let mut line = Vec::new();
            let read = self.reader.read_until(b'\n', &mut line).unwrap_or(0);
            if read == 0 {
                return String::new();
            }
            if line.get(3) != Some(&b'-') {
                return String::from_utf8_lossy(&line[..line.len().min(3)]).into_owned();
            }
        }
    }

    /// One transaction; the codes of MAIL, RCPT, and if RCPT was accepted of
    /// DATA and the dot.
    pub(crate) fn deliver(&mut self, recipient: &str) -> Vec<String> {
        let mut codes = vec![
            self.say("MAIL FROM:<bounce@example.org>"),
            self.say(&format!("RCPT TO:<{recipient}>")),
        ];
        if codes[1] == "250" {
            codes.push(self.say("DATA"));
            let body = format!(
                "Message-ID: <{}>\r\nSubject: Hello\r\n\r\nFirst line.\r\n..A dot.\r\n.",
                id_for(recipient)
            );
            codes.push(self.say(&body));
        } else if !codes[1].is_empty() {
            self.say("RSET");
        }
        codes
    }
}

/// The Message-ID, without brackets, of what [`Dialogue::deliver`] sends.
pub(crate) fn id_for(recipient: &str) -> String {
    format!("m.{recipient}")
}
