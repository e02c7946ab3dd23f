//! The byte stream under a session: gathers what is to be sent, bounds replies,
//! and knows whether the terminating dot has left.
//!
//! `lettre`'s connection reads from it and, until the first message, writes to
//! it; the session writes to it directly, so that commands can travel together.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{features::Features, text::Text};
use crate::moment::Moment;

/// Written through when this much waits.
const WRITE_CHUNK: usize = 64 * 1024;
/// More than this without a new command is no SMTP reply.
const MOST_REPLY_BYTES: usize = 64 * 1024;
/// What is said of a session that was held up by ourselves.
pub(super) const OVERDUE: &str = "this process stood still for longer than the session may wait";

/// TCP, bare or under TLS.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A handle to the stream. One is lettre's, one the session's; both belong to
/// one task, so the lock is never waited for.
#[derive(Clone)]
pub(super) struct RelayStream(Arc<Mutex<Bytes>>);

/// What has been received and what is to be sent.
struct Bytes {
    wire: Wire,
    peer: SocketAddr,
    incoming: Vec<u8>,
    delivered: usize,
    since_command: usize,
    /// What comes is the answer to EHLO.
    hears_features: bool,
    features: Features,
    outgoing: Vec<u8>,
    written: usize,
    text: Text,
    /// Where in `outgoing` the terminating dot's line ends.
    dot_end: Option<usize>,
    /// The point of no return: the dot may have reached the relay.
    dot_left: bool,
    /// After this the dot must not leave any more.
    dot_by: Moment,
}

impl RelayStream {
    /// Wraps `wire`. `greeting` is delivered before anything the relay sends:
    /// after STARTTLS the relay does not greet again, but lettre waits for it.
    pub(super) fn new(wire: Wire, peer: SocketAddr, greeting: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(Bytes {
            wire,
            peer,
            incoming: greeting.to_vec(),
            delivered: 0,
            since_command: 0,
            hears_features: false,
            features: Features::default(),
            outgoing: Vec::with_capacity(4096),
            written: 0,
            text: Text::default(),
            dot_end: None,
            dot_left: false,
            dot_by: Moment::now(),
        })))
    }

    /// Whether the relay takes commands in groups (RFC 2920).
    pub(super) fn offers_pipelining(&self) -> bool {
        self.lock().features.pipelining
    }

    /// The largest message the relay takes, in bytes, if it says.
    pub(super) fn largest(&self) -> Option<usize> {
        self.lock().features.largest
    }

    /// The certificate that the relay showed (DER), if it had to.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        match &self.lock().wire {
            Wire::Plain(_) => None,
            Wire::Tls(stream) => {
                let shown = stream.get_ref().1.peer_certificates()?;
                shown.first().map(|own| own.to_vec())
            }
        }
    }

    /// Whether the relay takes addresses beyond ASCII (RFC 6531).
    pub(super) fn offers_smtputf8(&self) -> bool {
        self.lock().features.international
    }

    /// Whether more was received than has been read.
    pub(super) fn has_surplus(&self) -> bool {
        let bytes = self.lock();
        bytes.delivered < bytes.incoming.len()
    }

    /// A command, to be sent with the next flush.
    pub(super) fn put_command(&self, command: &str) {
        let mut bytes = self.lock();
        bytes.asks(false);
        bytes.outgoing.extend_from_slice(command.as_bytes());
    }

    /// A message begins, whose dot must have left by then.
    pub(super) fn begin_text(&self, dot_by: Moment) {
        let mut bytes = self.lock();
        bytes.dot_by = dot_by;
        bytes.text = Text::default();
        bytes.dot_end = None;
        bytes.dot_left = false;
    }

    /// A piece of a message; whatever is more than a chunk is sent.
    pub(super) async fn put_text(&self, piece: &[u8]) -> io::Result<()> {
        for part in piece.chunks(WRITE_CHUNK) {
            let is_much = {
                let bytes = &mut *self.lock();
                bytes.text.put(part, &mut bytes.outgoing);
                bytes.outgoing.len() >= WRITE_CHUNK
            };
            if is_much {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// The terminating dot, to be sent with the next flush.
    pub(super) fn put_dot(&self) {
        let bytes = &mut *self.lock();
        bytes.asks(false);
        bytes.text.end(&mut bytes.outgoing);
        bytes.dot_end = Some(bytes.outgoing.len());
    }

    /// Whether the dot may have reached the relay. False is a proof that it
    /// has not: the kernel never took the dot's bytes.
    pub(super) fn dot_left(&self) -> bool {
        self.lock().dot_left
    }

    /// Sends everything that waits.
    pub(super) async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| self.lock().poll_flush(cx)).await
    }

    fn lock(&self) -> MutexGuard<'_, Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bytes {
    /// The relay is asked something, which it may answer with so much and no
    /// more. Only an answer to EHLO has features.
    fn asks(&mut self, hears_features: bool) {
        self.since_command = 0;
        self.hears_features = hears_features;
        self.features.begin();
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; 4096];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(match &mut self.wire {
            Wire::Plain(wire) => Pin::new(wire).poll_read(cx, &mut buffer),
            Wire::Tls(wire) => Pin::new(wire.as_mut()).poll_read(cx, &mut buffer),
        })?;
        self.since_command += buffer.filled().len();
        if self.since_command > MOST_REPLY_BYTES {
            let error = io::Error::new(io::ErrorKind::InvalidData, "the reply has no end");
            return Poll::Ready(Err(error));
        }
        self.incoming.clear();
        self.delivered = 0;
        // Replies are text for people: bytes beyond ASCII may be in any
        // encoding, and a 250 in Latin-1 is still a 250.
        let seen = |byte: &u8| {
            if byte.is_ascii() && *byte != 0 {
                *byte
            } else {
                b'?'
            }
        };
        self.incoming.extend(buffer.filled().iter().map(seen));
        Poll::Ready(Ok(()))
    }

    /// Hands out at most one line, so that nothing after a reply is taken for
    /// part of it, and what came too early is noticed.
    fn poll_line(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.delivered == self.incoming.len() {
            ready!(self.poll_fill(cx))?;
        }
        let waiting = &self.incoming[self.delivered..];
        let line = memchr::memchr(b'\n', waiting)
            .map_or(waiting.len(), |end| end + 1)
            .min(buffer.remaining());
        if self.hears_features {
            self.features.hear(&waiting[..line])?;
        }
        buffer.put_slice(&waiting[..line]);
        self.delivered += line;
        Poll::Ready(Ok(()))
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outgoing.len() {
            // The last look before the point of no return: whoever was stopped
            // up to here speaks to a relay that has given up, or is about to.
            if self.dot_end.is_some() && !self.dot_left && self.dot_by.is_past() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, OVERDUE)));
            }
            let rest = &self.outgoing[self.written..];
            let count = ready!(match &mut self.wire {
                Wire::Plain(wire) => Pin::new(wire).poll_write(cx, rest),
                Wire::Tls(wire) => {
                    // TLS takes bytes before the kernel does: from here on the
                    // dot counts as gone.
                    self.dot_left |= self.dot_end.is_some();
                    Pin::new(wire.as_mut()).poll_write(cx, rest)
                }
            })?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.dot_left |= self.dot_end.is_some_and(|end| self.written >= end);
        }
        self.outgoing.clear();
        self.written = 0;
        self.dot_end = None;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        match &mut self.wire {
            Wire::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Wire::Tls(wire) => Pin::new(wire.as_mut()).poll_flush(cx),
        }
    }
}

impl AsyncRead for RelayStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.lock().poll_line(cx, buffer)
    }
}

impl AsyncWrite for RelayStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut this = self.lock();
        this.asks(bytes.starts_with(b"EHLO"));
        this.outgoing.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().wire {
            Wire::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Wire::Tls(wire) => Pin::new(wire.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for RelayStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.lock().peer)
    }
}

impl fmt::Debug for RelayStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayStream({})", self.lock().peer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (RelayStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (RelayStream::new(Wire::Plain(client), address, b""), server)
    }

    #[tokio::test]
    async fn the_dot_has_not_left_until_the_flush_that_follows_it() {
        let (stream, mut server) = pair().await;
        stream.begin_text(Moment::now() + Duration::from_secs(60));
        stream.put_text(b"body\r\n").await.unwrap();
        stream.flush().await.unwrap();
        assert!(!stream.dot_left());
        stream.put_dot();
        stream.put_command("MAIL FROM:<next@example.org>\r\n");
        assert!(!stream.dot_left());
        stream.flush().await.unwrap();
        assert!(stream.dot_left());
        let mut seen = [0; 39];
        server.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"body\r\n.\r\nMAIL FROM:<next@example.org>\r\n");
    }

    #[tokio::test]
    async fn a_dead_wire_before_the_dot_proves_that_it_did_not_leave() {
        let (stream, server) = pair().await;
        drop(server);
        stream.begin_text(Moment::now() + Duration::from_secs(60));
        let mut failed = false;
        for _ in 0..200 {
            if stream.put_text(&[b'x'; 16 * 1024]).await.is_err() {
                failed = true;
                break;
            }
        }
        assert!(failed, "writing to a closed socket went on");
        stream.put_dot();
        assert!(stream.flush().await.is_err());
        assert!(!stream.dot_left());
    }

    #[tokio::test]
    async fn a_blank_line_in_the_answer_to_ehlo_is_an_error() {
        for (answer, is_error) in [
            ("250-relay\r\n250-\r\n250 SIZE\r\n", false),
            ("250-relay\r\n250-  \r\n250 SIZE\r\n", true),
            ("250-relay\r\n250 \t \r\n", true),
        ] {
            let (mut stream, mut server) = pair().await;
            stream.write_all(b"EHLO client\r\n").await.unwrap();
            server.write_all(answer.as_bytes()).await.unwrap();
            drop(server);
            let mut text = String::new();
            let result = stream.read_to_string(&mut text).await;
            assert_eq!(result.is_err(), is_error, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_dot_that_is_overdue_does_not_leave() {
        let (stream, mut server) = pair().await;
        stream.begin_text(Moment::now());
        stream.put_text(b"body\r\n").await.unwrap();
        stream.put_dot();
        let error = stream.flush().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(!stream.dot_left());
        drop(stream);
        let mut seen = Vec::new();
        server.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"");
    }

    #[tokio::test]
    async fn pipelining_is_what_the_answer_to_ehlo_offers() {
        for (answer, is_offered) in [
            ("250-relay\r\n250-PIPELINING\r\n250 SIZE\r\n", true),
            ("250-relay\r\n250 pipelining\r\n", true),
            ("250-relay\r\n250 XPIPELINING\r\n", false),
            ("250-relay\r\n250 SIZE 1000\r\n", false),
        ] {
            let (mut stream, mut server) = pair().await;
            stream.write_all(b"EHLO client\r\n").await.unwrap();
            for byte in answer.as_bytes() {
                server.write_all(&[*byte]).await.unwrap();
            }
            drop(server);
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert_eq!(stream.offers_pipelining(), is_offered, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn replies_come_line_by_line_in_ascii_and_bounded() {
        let (mut stream, mut server) = pair().await;
        server
            .write_all(b"250 gr\xfc\xdfe\r\n250 early\r\n")
            .await
            .unwrap();
        let mut line = [0; 100];
        let count = stream.read(&mut line).await.unwrap();
        assert_eq!(&line[..count], b"250 gr??e\r\n");
        assert!(stream.has_surplus());
        let flood =
            tokio::spawn(async move { while server.write_all(&[b'y'; 8192]).await.is_ok() {} });
        let mut total = 0;
        let error = loop {
            match stream.read(&mut line).await {
                Ok(count) => total += count,
                Err(error) => break error,
            }
            assert!(
                total < 10 * MOST_REPLY_BYTES,
                "a reply without end was read on"
            );
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        flood.abort();
    }
}
