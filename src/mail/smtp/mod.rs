//! One SMTP session with a relay: MAIL, RCPT, DATA, each with its own time
//! limit and its exact reply codes (RFC 5321).
//!
//! `lettre`'s low-level connection greets, logs in and reads every reply over a
//! stream of ours (`stream.rs`), which lets commands travel together. Its pool
//! and its one-call `send` are not used: they cannot say in which phase
//! something failed, and that decides between "again" and "uncertain".

mod dial;
mod envelope;
mod features;
mod session;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod trouble;

pub use self::{
    dial::{Dialer, DialerError, connector},
    envelope::Envelope,
    session::Session,
    trouble::Trouble,
};
