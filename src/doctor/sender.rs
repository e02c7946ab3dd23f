//! Who the mail is from.

use super::finding::{Finding, Topic};

/// Domains of which everybody can have an address; their owners tell receivers
/// to refuse mail that comes from anywhere else.
const FREE: [&str; 24] = [
    "aol.com",
    "fastmail.com",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "laposte.net",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "proton.me",
    "t-online.de",
    "web.de",
    "yandex.ru",
];

/// Whether the sender has a domain of its own.
#[must_use]
pub fn free_mail(domain: &str) -> Finding {
    let is_yahoo = domain.starts_with("yahoo.") || domain.starts_with("ymail.");
    if is_yahoo || FREE.contains(&domain) {
        return Finding::error(
            Topic::Sender,
            format!("mail is from {domain}, which belongs to a mailbox provider"),
            "use a domain of your own: receivers refuse bulk mail in a provider’s name that the \
             provider did not send",
        );
    }
    Finding::ok(Topic::Sender, format!("mail is from {domain}"))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_provider_is_no_sender() {
        assert_eq!(free_mail("gmail.com").level, Level::Error);
        assert_eq!(free_mail("yahoo.co.uk").level, Level::Error);
        assert_eq!(free_mail("magazine.example.org").level, Level::Ok);
    }
}
