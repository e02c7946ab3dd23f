//! What the suite and the campaigns are made of: a throw-away publication,
//! real and scripted SMTP servers that keep a journal, and the oracle that
//! holds the ledger against what those servers received.

#![allow(
    dead_code,
    reason = "a box of parts; not every part is used by every program"
)]
#![allow(
    clippy::unwrap_used,
    reason = "in a test an unwrap is an assertion; the panic names the line"
)]

pub(crate) mod chaos;
pub(crate) mod cutter;
pub(crate) mod dialogue;
pub(crate) mod dice;
pub(crate) mod dns;
pub(crate) mod dovecot;
pub(crate) mod greylist;
pub(crate) mod ledger;
pub(crate) mod line;
pub(crate) mod mailbox;
pub(crate) mod net;
pub(crate) mod oracle;
pub(crate) mod pgbouncer;
pub(crate) mod picture;
pub(crate) mod postfix;
pub(crate) mod postgres;
pub(crate) mod press;
pub(crate) mod process;
pub(crate) mod receipt;
pub(crate) mod sink;
pub(crate) mod small_disk;
pub(crate) mod tls_front;
pub(crate) mod tools;
