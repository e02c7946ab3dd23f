//! The bytes below the dialogue: plain or encrypted, read in bounded lines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// No client may keep a session of the harness longer without a byte.
const PATIENCE: Duration = Duration::from_secs(120);

/// Longer lines are a fault of the client, and would hide one in a test.
const LONGEST_LINE: u64 = 1 << 20;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// A client's connection.
pub(super) struct Wire {
    reader: BufReader<Stream>,
    /// A clone of the socket, to start TLS on.
    socket: TcpStream,
}

impl Wire {
    /// A plain connection.
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            reader: BufReader::new(Stream::Plain(socket.try_clone()?)),
            socket,
        })
    }

    /// Encrypts from here on; whatever arrived early in clear is forgotten.
    pub(super) fn start_tls(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let stream = StreamOwned::new(connection, self.socket.try_clone()?);
        self.reader = BufReader::new(Stream::Tls(Box::new(stream)));
        Ok(())
    }

    /// Whether the dialogue is encrypted now.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.reader.get_ref(), Stream::Tls(_))
    }

    /// The next line with its line end; `None` when the client has gone.
    pub(super) fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = self
            .reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if read > 0 && !line.ends_with(b"\n") {
            return Err(io::Error::other("connection or line ended early"));
        }
        Ok((read > 0).then_some(line))
    }

    /// Whether more came with the last line: the client did not wait for the
    /// answer to it.
    pub(super) fn has_more(&self) -> bool {
        !self.reader.buffer().is_empty()
    }

    /// Reads and forgets until the client leaves.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        io::copy(&mut self.reader, &mut io::sink()).map(|_| ())
    }

    /// Writes bytes at once.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.reader.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Writes a reply and ends its line.
    pub(super) fn reply(&mut self, text: &[u8]) -> io::Result<()> {
        self.send(&[text, b"\r\n"].concat())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
