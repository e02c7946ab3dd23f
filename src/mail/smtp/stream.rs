//! The byte stream under a session: buffers writes, bounds replies, and knows
//! whether the terminating dot has left.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};
use tokio_rustls::client::TlsStream;

/// Written through when this much waits, even while corked.
const WRITE_CHUNK: usize = 64 * 1024;
/// More than this without a new command is no SMTP reply.
const MOST_REPLY_BYTES: usize = 64 * 1024;

/// TCP, bare or under TLS.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What session and stream tell each other about the message under way.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Flushes wait until the message is complete: lettre flushes after every
    /// piece, and small writes would each become a packet.
    corked: AtomicBool,
    /// The last byte now waiting is the terminating dot's line end.
    dot_waits: AtomicBool,
    /// The point of no return: the dot may have reached the relay.
    dot_left: AtomicBool,
    /// Wakes who waits for that.
    leaves: Notify,
    /// Bytes were read beyond the reply's line.
    surplus: AtomicBool,
}

impl Gate {
    /// A message begins.
    pub(super) fn cork(&self) {
        self.dot_left.store(false, Ordering::Relaxed);
        self.dot_waits.store(false, Ordering::Relaxed);
        self.corked.store(true, Ordering::Relaxed);
    }

    /// The next bytes written are the terminating dot, and the next flush is real.
    pub(super) fn uncork_for_dot(&self) {
        self.dot_waits.store(true, Ordering::Relaxed);
        self.corked.store(false, Ordering::Relaxed);
    }

    /// Whether the dot may have reached the relay. False is a proof that it
    /// has not: the kernel never took the dot's bytes.
    pub(super) fn dot_left(&self) -> bool {
        self.dot_left.load(Ordering::Relaxed)
    }

    /// Waits until the dot may have reached the relay.
    pub(super) async fn dot_leaves(&self) {
        while !self.dot_left() {
            self.leaves.notified().await;
        }
    }

    fn mark_dot(&self) {
        self.dot_left.store(true, Ordering::Relaxed);
        self.leaves.notify_one();
    }

    /// Whether more was received than has been read.
    pub(super) fn has_surplus(&self) -> bool {
        self.surplus.load(Ordering::Relaxed)
    }
}

/// The line of a reply that is being read, as far as it has come.
#[derive(Debug, Default)]
struct ReplyLine {
    length: usize,
    has_blanks: bool,
    has_text: bool,
}

impl ReplyLine {
    /// Takes the next bytes, at most to the end of the line. True when the line
    /// ends here and holds nothing but blanks behind its code.
    fn ends_blank(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            // Three digits and a mark come first (RFC 5321 4.2.1).
            if self.length >= 4 && !matches!(byte, b'\r' | b'\n') {
                let is_blank = char::from(*byte).is_whitespace();
                self.has_blanks |= is_blank;
                self.has_text |= !is_blank;
            }
            self.length += 1;
        }
        if !bytes.ends_with(b"\n") {
            return false;
        }
        let line = std::mem::take(self);
        line.has_blanks && !line.has_text
    }
}

/// The stream handed to lettre.
pub(super) struct RelayStream {
    wire: Wire,
    peer: SocketAddr,
    gate: Arc<Gate>,
    incoming: Vec<u8>,
    delivered: usize,
    since_command: usize,
    /// The last command was EHLO, and lettre panics on blank lines in its
    /// answer (RUSTSEC-2026-0562).
    hears_features: bool,
    line: ReplyLine,
    outgoing: Vec<u8>,
    written: usize,
}

impl RelayStream {
    /// Wraps `wire`. `greeting` is delivered before anything the relay sends:
    /// after STARTTLS the relay does not greet again, but lettre waits for it.
    pub(super) fn new(wire: Wire, peer: SocketAddr, greeting: &[u8]) -> (Self, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        let stream = Self {
            wire,
            peer,
            gate: Arc::clone(&gate),
            incoming: greeting.to_vec(),
            delivered: 0,
            since_command: 0,
            hears_features: false,
            line: ReplyLine::default(),
            outgoing: Vec::with_capacity(4096),
            written: 0,
        };
        (stream, gate)
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

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outgoing.len() {
            let rest = &self.outgoing[self.written..];
            let count = ready!(match &mut self.wire {
                Wire::Plain(wire) => Pin::new(wire).poll_write(cx, rest),
                Wire::Tls(wire) => {
                    // TLS takes bytes before the kernel does: from here on the
                    // dot counts as gone.
                    if self.gate.dot_waits.load(Ordering::Relaxed) {
                        self.gate.mark_dot();
                    }
                    Pin::new(wire.as_mut()).poll_write(cx, rest)
                }
            })?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        if self.gate.dot_waits.load(Ordering::Relaxed) && !self.outgoing.is_empty() {
            self.gate.mark_dot();
        }
        self.outgoing.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for RelayStream {
    /// At most one line per call, so that nothing after a reply is taken for
    /// part of it, and what came too early is noticed.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.delivered == this.incoming.len() {
            ready!(this.poll_fill(cx))?;
        }
        let waiting = &this.incoming[this.delivered..];
        let line = waiting
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(waiting.len(), |end| end + 1)
            .min(buffer.remaining());
        if this.hears_features && this.line.ends_blank(&waiting[..line]) {
            let error = "a line of its answer to EHLO is blank";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        buffer.put_slice(&waiting[..line]);
        this.delivered += line;
        let is_surplus = this.delivered < this.incoming.len();
        this.gate.surplus.store(is_surplus, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RelayStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.since_command = 0;
        this.hears_features = bytes.starts_with(b"EHLO");
        let dot_waits = this.gate.dot_waits.load(Ordering::Relaxed);
        if this.outgoing.len() >= WRITE_CHUNK && !dot_waits {
            ready!(this.poll_drain(cx))?;
        }
        this.outgoing.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gate.corked.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_drain(cx))?;
        match &mut this.wire {
            Wire::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Wire::Tls(wire) => Pin::new(wire.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Wire::Tls(wire) => Pin::new(wire.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for RelayStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl fmt::Debug for RelayStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayStream({})", self.peer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (RelayStream, Arc<Gate>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (stream, gate) = RelayStream::new(Wire::Plain(client), address, b"");
        (stream, gate, server)
    }

    #[tokio::test]
    async fn the_dot_has_not_left_until_the_flush_that_follows_it() {
        let (mut stream, gate, mut server) = pair().await;
        gate.cork();
        stream.write_all(b"body").await.unwrap();
        stream.flush().await.unwrap();
        assert!(!gate.dot_left());
        gate.uncork_for_dot();
        stream.write_all(b"\r\n.\r\n").await.unwrap();
        assert!(!gate.dot_left());
        stream.flush().await.unwrap();
        assert!(gate.dot_left());
        let mut seen = [0; 9];
        server.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"body\r\n.\r\n");
    }

    #[tokio::test]
    async fn a_dead_wire_before_the_dot_proves_that_it_did_not_leave() {
        let (mut stream, gate, server) = pair().await;
        drop(server);
        gate.cork();
        let mut failed = false;
        for _ in 0..200 {
            if stream.write_all(&[b'x'; 16 * 1024]).await.is_err() {
                failed = true;
                break;
            }
        }
        assert!(failed, "writing to a closed socket went on");
        assert!(!gate.dot_left());
    }

    #[tokio::test]
    async fn a_blank_line_in_the_answer_to_ehlo_is_an_error() {
        for (answer, is_error) in [
            ("250-relay\r\n250-\r\n250 SIZE\r\n", false),
            ("250-relay\r\n250-  \r\n250 SIZE\r\n", true),
            ("250-relay\r\n250 \t \r\n", true),
        ] {
            let (mut stream, _, mut server) = pair().await;
            stream.write_all(b"EHLO client\r\n").await.unwrap();
            server.write_all(answer.as_bytes()).await.unwrap();
            drop(server);
            let mut text = String::new();
            let result = stream.read_to_string(&mut text).await;
            assert_eq!(result.is_err(), is_error, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn replies_come_line_by_line_in_ascii_and_bounded() {
        let (mut stream, gate, mut server) = pair().await;
        server
            .write_all(b"250 gr\xfc\xdfe\r\n250 early\r\n")
            .await
            .unwrap();
        let mut line = [0; 100];
        let count = stream.read(&mut line).await.unwrap();
        assert_eq!(&line[..count], b"250 gr??e\r\n");
        assert!(gate.has_surplus());
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
