//! The settings of each part, as typed values: a part gets its own section and
//! never the whole [`super::Config`].

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::Url;

pub use crate::domain::delivery::OnUncertain;
use crate::domain::{address::EmailAddress, network::Network};

/// A display name and an address, such as `Name <news@magazine.example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Cleaned to one line; may be empty.
    pub name: String,
    /// Where replies go and whose domain signs.
    pub address: EmailAddress,
}

/// How the way to the relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTls {
    /// TLS from the first byte (`smtps://`, RFC 8314).
    Implicit,
    /// STARTTLS or nothing (`smtp://…?tls=required`, RFC 3207).
    Required,
    /// Plain text: loopback only.
    None,
}

/// The SMTP server we hand mail to.
#[derive(Debug, Clone)]
pub struct SmtpRelay {
    /// Host name or address literal.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Protection.
    pub tls: RelayTls,
    /// Login name, if the relay wants one.
    pub login: Option<String>,
    /// The password that goes with it; read from a file, the environment or a
    /// systemd credential.
    pub password: Option<SecretString>,
    /// The file that holds the password, if one is configured.
    pub password_file: Option<PathBuf>,
    /// A CA certificate (PEM) to trust beside the machine's store.
    pub tls_ca_file: Option<PathBuf>,
}

/// Where messages go.
#[derive(Debug, Clone)]
pub enum Relay {
    /// Written as `.eml` files into this folder (absolute path).
    Folder(PathBuf),
    /// Handed to an SMTP server.
    Smtp(SmtpRelay),
}

/// What to call a relay in reports: never with login data.
impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => write!(f, "folder:{}", dir.display()),
            Self::Smtp(relay) if relay.host.contains(':') => {
                write!(f, "[{}]:{}", relay.host, relay.port)
            }
            Self::Smtp(relay) => write!(f, "{}:{}", relay.host, relay.port),
        }
    }
}

/// One of the relays, and its part of the work.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// Where it is.
    pub relay: Relay,
    /// Its share of the messages, against the other weights.
    pub weight: u32,
    /// At most so many SMTP sessions at once.
    pub connections: usize,
    /// At most so fast.
    pub rate: Option<Rate>,
}

/// A header by which the relay knows a message that it took before, so that
/// sending it again does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Name of the header; its value is the Message-ID.
    pub header: String,
    /// How long the relay remembers.
    pub window: Duration,
}

/// At most so many messages in so much time, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Messages.
    pub count: NonZeroU32,
    /// Span of time.
    pub per: Duration,
}

/// Longest waits per step of an SMTP session (RFC 5321 4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connect.
    pub connect: Duration,
    /// Greeting and EHLO.
    pub greeting: Duration,
    /// Login.
    pub auth: Duration,
    /// MAIL and RCPT each.
    pub command: Duration,
    /// DATA.
    pub data: Duration,
    /// Each 64 KiB of the message.
    pub block: Duration,
    /// The answer to the terminating dot.
    pub dot: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: Duration::from_secs(300),
            auth: Duration::from_secs(120),
            command: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            dot: Duration::from_secs(600),
        }
    }
}

/// How readers get the pictures of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PictureWay {
    /// Mail clients fetch them from the website.
    #[default]
    Remote,
    /// They travel in the message.
    Embed,
}

/// How the text part names the addresses of links in articles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextLinks {
    /// By numbers; the addresses stand below the article.
    #[default]
    Numbered,
    /// Each right after its words.
    Inline,
}

/// `[mail]`: who writes, through which relay, how fast and how long.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The From header.
    pub from: Sender,
    /// The Reply-To header, where replies go elsewhere.
    pub reply_to: Option<Sender>,
    /// Where messages go: never empty, and a folder stands alone.
    pub relays: Vec<RelaySettings>,
    /// What we call ourselves in EHLO: a host name or address literal.
    pub hello_name: String,
    /// A delivery that was not made by then never is.
    pub expire_after: Duration,
    /// How long one run waits for a relay that does not answer.
    pub relay_patience: Duration,
    /// What to do with uncertain deliveries.
    pub on_uncertain: OnUncertain,
    /// `idempotency_header` and `idempotency_window`.
    pub idempotency: Option<Idempotency>,
    /// Longest waits.
    pub timeouts: Timeouts,
    /// A session ends after so many messages.
    pub messages_per_connection: u32,
    /// `[mail.dkim]`; without it the relay signs, or nobody.
    pub dkim: Option<DkimSettings>,
    /// How readers get the pictures.
    pub pictures: PictureWay,
    /// How the text part names the addresses of links in articles.
    pub text_links: TextLinks,
    /// Parameters that links to the publication get, in order: names, and
    /// values that are templates.
    pub link_params: Vec<(String, String)>,
    /// Most bytes of a letter's HTML, with the slots filled.
    pub size_budget: usize,
    /// Which single mails answer readers, besides the confirmation.
    pub answers: AnswerSettings,
    /// `[mail.list]`.
    pub list: ListSettings,
    /// Domain of the envelope sender `bounce+TOKEN@…`: `bounces.domain`.
    pub bounce_domain: Option<String>,
    /// So many issues have to be refused because the address is bad before it is
    /// suppressed: `bounces.hard_limit`.
    pub hard_limit: u32,
    /// Letters carry a token that Postmark hands back when it tells of bounces:
    /// `bounces.postmark_secret_file` is set.
    pub tells_postmark: bool,
    /// Base of the links that readers follow: `serve.public_url`, ends in `/`.
    pub public_url: Option<Url>,
}

/// Which single mails answer what one reader did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerSettings {
    /// Who has confirmed is welcomed.
    pub welcome: bool,
    /// Who leaves gets a last mail.
    pub goodbye: bool,
    /// Who has confirmed gets the newest issue.
    pub latest_issue: bool,
}

/// `[serve]`: the web part.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Base of the links that readers follow: https, ends in `/`.
    pub public_url: Option<Url>,
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// Proxies whose word about the address of a reader is taken.
    pub trusted_proxies: Vec<Network>,
    /// More sign-ups than this within an hour close the form.
    pub signups_per_hour: usize,
}

/// `[mail.dkim]`: who signs, with which keys. The keys themselves are read when
/// something is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimSettings {
    /// The signing domain (`d=`): aligned with the sender's.
    pub domain: String,
    /// One key, or two for two signatures.
    pub keys: Vec<DkimKey>,
    /// How long a signature holds (`x=`); for ever where absent.
    pub valid_for: Option<Duration>,
}

/// A key of `[mail.dkim]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// The name under which its public half is published (`s=`).
    pub selector: String,
    /// The file of its private half (absolute path).
    pub file: PathBuf,
    /// The line of letterpress.toml that names the file.
    pub line: Option<u32>,
}

/// `[mail.list]`: what identifies the list to mail clients.
#[derive(Debug, Clone, Default)]
pub struct ListSettings {
    /// List-Id (RFC 2919), such as `weekly.magazine.example.org`; made of the
    /// digest's name and the sender's domain where absent.
    pub id: Option<String>,
    /// Where the publisher can be reached by letter.
    pub postal_address: Option<String>,
    /// Where a mailto unsubscribe goes; the sender's address where absent.
    pub unsubscribe_address: Option<EmailAddress>,
}

/// `[bounces] source`: the mailbox to which bounces and complaints come, and
/// readers who leave by mail.
#[derive(Debug, Clone)]
pub enum BounceSource {
    /// A Maildir (absolute path).
    Maildir(PathBuf),
    /// An mbox file (absolute path).
    Mbox(PathBuf),
    /// A mailbox on a server.
    Imap(ImapSource),
}

/// A mailbox on an IMAP server.
#[derive(Debug, Clone)]
pub struct ImapSource {
    /// Host name or address literal.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: RelayTls,
    /// Login name.
    pub login: String,
    /// Name of the mailbox, such as `INBOX`.
    pub mailbox: String,
    /// The file that holds the password, if one is configured.
    pub password_file: Option<PathBuf>,
    /// A CA certificate (PEM) to trust beside the machine's store.
    pub tls_ca_file: Option<PathBuf>,
}

/// What to call a mailbox in reports: never with login data.
impl fmt::Display for BounceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maildir(path) => write!(f, "maildir:{}", path.display()),
            Self::Mbox(path) => write!(f, "mbox:{}", path.display()),
            Self::Imap(imap) => write!(f, "{}:{}/{}", imap.host, imap.port, imap.mailbox),
        }
    }
}

/// A compressed copy beside each text file of the output folder, for web
/// servers that hand out such copies (`gzip_static`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// `.gz` (RFC 1952).
    Gzip,
    /// `.br` (RFC 7932).
    Brotli,
    /// `.zst` (RFC 8878).
    Zstandard,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Brotli, Self::Zstandard];

    /// The end of the copy's name, without the dot: also its name in
    /// `content.compress`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Brotli => "br",
            Self::Zstandard => "zst",
        }
    }
}

/// How safe a commit must be before a message may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives a power cut (`synchronous = FULL`, the default).
    Power,
    /// Survives the death of the process only (`synchronous = NORMAL`).
    Process,
}

/// `[store]`: where the ledger is.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// What holds the ledger.
    pub engine: Engine,
    /// The SQLite file (absolute path). With a server there is no such file, and
    /// only what lies beside it on this machine is named after it.
    pub path: PathBuf,
    /// How safe a commit must be.
    pub durability: Durability,
    /// Accept a network file system all the same.
    pub allow_network_file_system: bool,
}

impl StoreSettings {
    /// Whether there may be a ledger: what no file tells, only the server knows.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        match self.engine {
            Engine::Sqlite => self.path.exists(),
            Engine::Postgres(_) => true,
        }
    }

    /// The ledger as people are told of it: its file, or its server without a login.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.engine {
            Engine::Sqlite => self.path.display().to_string(),
            Engine::Postgres(server) => server.name.clone(),
        }
    }
}

/// What holds the ledger.
#[derive(Debug, Clone)]
pub enum Engine {
    /// SQLite, in a file of this machine.
    Sqlite,
    /// PostgreSQL.
    Postgres(ServerSettings),
}

/// A PostgreSQL server and how to deal with it.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The whole URL; it may hold a password.
    pub url: SecretString,
    /// The URL without a login, for messages.
    pub name: String,
    /// The file with the password, where the URL has none.
    pub password_file: Option<PathBuf>,
    /// How safe a commit must be.
    pub durability: Durability,
    /// How long what is under way waits for a server that went away.
    pub patience: Duration,
    /// How long a worker's claims are its own without a sign of life.
    pub lease: Duration,
}
