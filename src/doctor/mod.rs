//! What the world sees of a publication that sends mail: the records that
//! receivers look up before they believe a message. Asks, and changes nothing.

mod certificate;
mod dkim;
mod dmarc;
mod finding;
mod hosts;
mod names;
mod sender;
mod spf;
mod tags;
#[cfg(test)]
mod tests;

pub use self::{
    certificate::about_to_end,
    dkim::signatures,
    dmarc::{Domains, policy},
    finding::{DnsRecord, Finding, Level, Topic},
    hosts::{exchanges, pointers},
    names::{Names, NamesError},
    sender::free_mail,
    spf::{Sending, sending},
};
