//! From whom and to whom a message goes, as the relay is told.

use lettre::{
    Address,
    transport::smtp::{
        commands::{Mail, Rcpt},
        extension::{MailBodyParameter, MailParameter},
    },
};

use super::Trouble;
use crate::domain::address::EmailAddress;

/// MAIL and RCPT of one message, as they are sent.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub(super) mail: String,
    pub(super) rcpt: String,
    /// The relay must offer SMTPUTF8 (RFC 6531).
    pub(super) is_international: bool,
}

impl Envelope {
    /// From whom, to whom.
    ///
    /// # Errors
    /// [`Trouble::Address`] when the SMTP library refuses one of them.
    pub fn new(from: &EmailAddress, to: &EmailAddress) -> Result<Self, Trouble> {
        let from = Some(wire_address(from)?);
        if to.is_international() {
            // The SMTP library knows few letters; ours is the stricter check.
            let parameters = vec![
                MailParameter::Body(MailBodyParameter::EightBitMime),
                MailParameter::SmtpUtfEight,
            ];
            return Ok(Self {
                mail: Mail::new(from, parameters).to_string(),
                rcpt: format!("RCPT TO:<{}>\r\n", to.expose()),
                is_international: true,
            });
        }
        Ok(Self {
            mail: Mail::new(from, Vec::new()).to_string(),
            rcpt: Rcpt::new(wire_address(to)?, Vec::new()).to_string(),
            is_international: false,
        })
    }
}

/// lettre's address of ours; ours is the stricter one, so a refusal is a fault
/// to be seen, not to be hidden by the unchecked constructor.
fn wire_address(address: &EmailAddress) -> Result<Address, Trouble> {
    Address::new(address.local(), address.domain())
        .map_err(|error| Trouble::Address(error.to_string()))
}
