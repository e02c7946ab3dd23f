//! What comes back from the world about messages that left: evidence of what
//! became of them, and readers who leave by mail.
//!
//! A mailbox hands out mails; `mail` reads one within bounds and says what it is
//! about; whose message that was is told by tokens of ours alone (`whose`).

mod delivery_status;
mod feedback;
mod fields;
mod leaving;
pub mod mail;
pub mod mailbox;
pub mod postfix_log;
pub mod postmark;
mod ses;
pub mod sns;
mod whose;

pub use self::{
    mail::{Content, Incoming, Nothing},
    whose::{Whose, marks_of},
};
