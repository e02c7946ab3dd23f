//! A mailbox on an IMAP server (RFC 3501): what nobody has seen is read without
//! being marked, and marked once it is settled. Who connects, and how that is
//! protected, is the caller's.

use std::{collections::VecDeque, fmt, time::Duration};

use async_imap::{Client, Session, error::Error};
use futures_util::TryStreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{
    domain::text::{cut, one_line},
    inbound::mail::MOST_BYTES,
};

/// No answer takes longer than this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Mails that are asked for at once.
const AT_ONCE: usize = 16;
/// Mails that are marked at once: a command is one line.
const MARKED_AT_ONCE: usize = 500;

/// A way to a server.
pub trait Wire: AsyncRead + AsyncWrite + fmt::Debug + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Unpin + Send> Wire for T {}

/// What stands between us and the mails.
#[derive(Debug, thiserror::Error)]
pub enum ImapError {
    /// The login is not accepted.
    #[error("the login was refused: {0}")]
    Login(String),
    /// There is no such mailbox, or it is not ours.
    #[error("the mailbox was refused: {0}")]
    Mailbox(String),
    /// The server went away, or does not answer.
    #[error("{0}")]
    Lost(String),
    /// The server says what no IMAP server says.
    #[error("the server breaks the protocol: {0}")]
    Protocol(String),
}

/// What a server said, fit to be shown.
fn words(error: &Error) -> String {
    cut(&one_line(&error.to_string()), 200)
}

impl From<Error> for ImapError {
    fn from(error: Error) -> Self {
        let words = words(&error);
        match error {
            Error::Io(_) | Error::ConnectionLost => Self::Lost(words),
            _ => Self::Protocol(words),
        }
    }
}

/// Waits for no longer than a server may take.
async fn patiently<T, E: Into<ImapError>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, ImapError> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(ImapError::Lost(format!(
            "no answer for {} s",
            PATIENCE.as_secs()
        ))),
    }
}

async fn greeted<W: Wire>(wire: W) -> Result<Client<W>, ImapError> {
    let mut client = Client::new(wire);
    let greeting = async { client.read_response().await.map_err(Error::Io) };
    match patiently(greeting).await? {
        Some(_) => Ok(client),
        None => Err(ImapError::Lost("closed without a greeting".to_owned())),
    }
}

/// Asks a server for TLS (STARTTLS) and hands its wire back. What it said before
/// is forgotten, whoever said it.
///
/// # Errors
/// When it does not offer TLS, or does not answer.
pub async fn before_tls<W: Wire>(wire: W) -> Result<W, ImapError> {
    let mut client = greeted(wire).await?;
    patiently(client.run_command_and_check_ok("STARTTLS", None))
        .await
        .map_err(|error| match error {
            ImapError::Protocol(words) => {
                ImapError::Protocol(format!("STARTTLS was refused: {words}"))
            }
            other => other,
        })?;
    Ok(client.into_inner())
}

/// An open mailbox.
#[derive(Debug)]
pub struct Imap {
    session: Session<Box<dyn Wire>>,
    unseen: VecDeque<u32>,
    fetched: VecDeque<(u32, Vec<u8>)>,
}

impl Imap {
    /// Logs in and opens a mailbox. `is_greeted` says whether the greeting was
    /// read before TLS.
    ///
    /// # Errors
    /// When the login or the mailbox is refused: tried once, accounts lock.
    pub async fn open(
        wire: Box<dyn Wire>,
        is_greeted: bool,
        (login, password): (&str, &str),
        mailbox: &str,
    ) -> Result<Self, ImapError> {
        let client = if is_greeted {
            Client::new(wire)
        } else {
            greeted(wire).await?
        };
        let logged_in = async {
            client
                .login(login, password)
                .await
                .map_err(|(error, _)| match &error {
                    Error::No(_) | Error::Bad(_) => ImapError::Login(words(&error)),
                    _ => error.into(),
                })
        };
        let mut session = patiently(logged_in).await?;
        let selected = async {
            session.select(mailbox).await.map_err(|error| match &error {
                Error::No(_) | Error::Bad(_) => ImapError::Mailbox(words(&error)),
                _ => error.into(),
            })
        };
        patiently(selected).await?;
        let unseen = patiently(session.uid_search("UNSEEN")).await?;
        let mut unseen: Vec<u32> = unseen.into_iter().collect();
        unseen.sort_unstable();
        Ok(Self {
            session,
            unseen: unseen.into(),
            fetched: VecDeque::new(),
        })
    }

    /// The beginning of the next mail, and its number; `None` at the end.
    ///
    /// # Errors
    /// When the server goes away.
    pub async fn next_mail(&mut self) -> Result<Option<(u32, Vec<u8>)>, ImapError> {
        while self.fetched.is_empty() && !self.unseen.is_empty() {
            let some = self.unseen.len().min(AT_ONCE);
            let numbers: Vec<u32> = self.unseen.drain(..some).collect();
            let query = format!("(UID BODY.PEEK[]<0.{MOST_BYTES}>)");
            let fetches = async {
                let fetches = self.session.uid_fetch(set(&numbers), query).await?;
                fetches.try_collect::<Vec<_>>().await
            };
            // Somebody may have removed some of them meanwhile.
            for fetch in patiently(fetches).await? {
                if let (Some(number), Some(mail)) = (fetch.uid, fetch.body()) {
                    let mail = mail[..mail.len().min(MOST_BYTES)].to_vec();
                    self.fetched.push_back((number, mail));
                }
            }
        }
        Ok(self.fetched.pop_front())
    }

    /// Marks mails as seen, once their effect is on stable storage.
    ///
    /// # Errors
    /// When the server goes away.
    pub async fn settle(&mut self, numbers: &[u32]) -> Result<(), ImapError> {
        for some in numbers.chunks(MARKED_AT_ONCE) {
            let marked = async {
                let told = self
                    .session
                    .uid_store(set(some), "+FLAGS.SILENT (\\Seen)")
                    .await?;
                told.try_collect::<Vec<_>>().await
            };
            patiently(marked).await?;
        }
        Ok(())
    }
}

/// A set of numbers as commands name it.
fn set(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    numbers.join(",")
}
