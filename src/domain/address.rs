//! An e-mail address that was checked once and can be sent to.

use std::{borrow::Cow, fmt, str::FromStr};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// An address that is accepted means an address that can be sent: a dot-atom
/// local part (RFC 5322 3.2.3) as typed, and a domain in A-labels (UTS 46).
/// Letters beyond ASCII in the local part (RFC 6531) need relays that carry
/// them, so they are taken only where somebody asked for it:
/// [`EmailAddress::international`].
///
/// `Debug` and `Display` mask it; [`EmailAddress::expose`] is for the envelope
/// and for the lists people ask for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Why a text is not an address we can send to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// Control characters: a line break in an address is an attack or a broken file.
    #[error("the address contains a control character")]
    Control,
    /// No `@`, or more than one.
    #[error("an address has exactly one `@`")]
    At,
    /// Local part not a dot-atom of 1 to 64 characters.
    #[error("the part before `@` is not a plain local part of 1 to 64 characters")]
    Local,
    /// A local part with letters beyond ASCII needs SMTPUTF8, which few relays offer.
    #[error("the part before `@` has letters beyond ASCII, which many mail servers refuse")]
    International,
    /// Domain unusable.
    #[error("the part after `@` is not a domain that mail can reach")]
    Domain,
    /// More than 254 characters (RFC 5321 4.5.3.1.3, erratum 1690).
    #[error("the address is longer than 254 characters")]
    Long,
}

/// Top-level names that never receive mail (RFC 2606, 6761, 6762, 7686, 9476).
const UNREACHABLE: [&str; 8] = [
    "localhost",
    "local",
    "invalid",
    "test",
    "example",
    "onion",
    "internal",
    "alt",
];

impl EmailAddress {
    /// An address whose local part may have letters beyond ASCII: what is on
    /// the list already, and what somebody wants on it knowing that only a relay
    /// with SMTPUTF8 (RFC 6531) can deliver to it.
    ///
    /// # Errors
    /// As [`FromStr`], but for [`AddressError::International`].
    pub fn international(raw: &str) -> Result<Self, AddressError> {
        let typed = raw.trim_matches(|c: char| c == ' ' || c == '\t');
        // Every message reads an address back from the ledger, nearly all of
        // them in ASCII, which is composed already.
        let text: Cow<'_, str> = if typed.is_ascii() {
            typed.into()
        } else {
            typed.nfc().collect()
        };
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(AddressError::Control);
        }
        let (local, domain) = text.split_once('@').ok_or(AddressError::At)?;
        if domain.contains('@') {
            return Err(AddressError::At);
        }
        check_local(local)?;
        let domain = to_a_labels(domain)?;
        Self::of(local, &domain)
    }

    /// From two parts that were checked.
    fn of(local: &str, domain: &str) -> Result<Self, AddressError> {
        let at = local.len();
        let text = format!("{local}@{domain}");
        if text.len() > 254 {
            return Err(AddressError::Long);
        }
        Ok(Self { text, at })
    }

    /// Whether the local part has letters beyond ASCII.
    #[must_use]
    pub fn is_international(&self) -> bool {
        !self.local().is_ascii()
    }

    /// Another address at the same domain, which was checked with this one.
    ///
    /// # Errors
    /// When the local part is no plain dot-atom in ASCII, or too long.
    pub fn with_local(&self, local: &str) -> Result<Self, AddressError> {
        check_local(local)?;
        if !local.is_ascii() {
            return Err(AddressError::International);
        }
        Self::of(local, self.domain())
    }

    /// The address in full, for the envelope, the To header and exports.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The part before `@`, as typed.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain in lower-case A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// What makes two addresses the same reader: the lower-cased address.
    #[must_use]
    pub fn key(&self) -> String {
        self.text.to_lowercase().nfc().collect()
    }

    /// What many spellings of one mailbox have in common: without dots and
    /// `+tags`, which large providers ignore. For counting requests, never for
    /// telling readers apart.
    #[must_use]
    pub fn abuse_key(&self) -> String {
        let local = self.local().to_lowercase();
        let untagged = local.split('+').next().unwrap_or_default();
        let folded: String = untagged.chars().filter(|c| *c != '.').collect();
        let local = if folded.is_empty() { &local } else { &folded };
        let domain = match self.domain() {
            "googlemail.com" => "gmail.com",
            domain => domain,
        };
        format!("{}@{domain}", local.nfc())
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;

    fn from_str(raw: &str) -> Result<Self, AddressError> {
        let address = Self::international(raw)?;
        if address.is_international() {
            return Err(AddressError::International);
        }
        Ok(address)
    }
}

fn check_local(local: &str) -> Result<(), AddressError> {
    if local.is_empty() || local.len() > 64 {
        return Err(AddressError::Local);
    }
    // Signs beyond ASCII are letters, digits and what is written over them; no
    // emoji, and nothing that cannot be seen.
    let is_atext = |c: char| {
        c.is_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || (!c.is_ascii() && is_combining_mark(c))
    };
    let is_dot_atom = local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
    is_dot_atom.then_some(()).ok_or(AddressError::Local)
}

fn to_a_labels(domain: &str) -> Result<String, AddressError> {
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::URL)
        .map_err(|_| AddressError::Domain)?
        .into_owned();
    let labels: Vec<&str> = ascii.split('.').collect();
    let top = labels.last().copied().unwrap_or_default();
    let good = labels.len() >= 2
        && ascii.len() <= 253
        && !UNREACHABLE.contains(&top)
        && !top.bytes().all(|b| b.is_ascii_digit())
        && labels.iter().all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
    good.then_some(ascii).ok_or(AddressError::Domain)
}

/// `a…@e….org`: enough to recognise one's own, too little to write to.
impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = |part: &str| part.chars().next().unwrap_or('?');
        let (host, top) = self
            .domain()
            .rsplit_once('.')
            .unwrap_or((self.domain(), ""));
        write!(f, "{}…@{}….{top}", first(self.local()), first(host))
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_are_accepted_and_parsing_is_idempotent() {
        for (raw, kept) in [
            ("  Thandi.M+news@Example.ORG ", "Thandi.M+news@example.org"),
            ("o'neill@example.com", "o'neill@example.com"),
            ("a@bücher.example.net", "a@xn--bcher-kva.example.net"),
        ] {
            let address: EmailAddress = raw.parse().unwrap();
            assert_eq!(address.expose(), kept);
            assert_eq!(address.expose().parse::<EmailAddress>().unwrap(), address);
        }
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        use AddressError::{At, Control, Domain, Empty, International, Local};
        for (raw, why) in [
            ("", Empty),
            ("a@example.org\r\nBcc: b@example.org", Control),
            ("a@example.org\n", Control),
            ("nobody", At),
            ("a@b@example.org", At),
            ("\"quoted local\"@example.org", Local),
            (".a@example.org", Local),
            ("a..b@example.org", Local),
            (&format!("{}@example.org", "a".repeat(65)), Local),
            ("zoë@example.org", International),
            ("a@localhost", Domain),
            ("a@example", Domain),
            ("a@[127.0.0.1]", Domain),
            ("a@127.0.0.1", Domain),
            ("a@example.org.", Domain),
            ("a@exa mple.org", Domain),
            ("a@-x.org", Domain),
            ("a@b_c.org", Domain),
        ] {
            assert_eq!(raw.parse::<EmailAddress>(), Err(why), "{raw:?}");
        }
    }

    #[test]
    fn letters_beyond_ascii_are_taken_where_they_are_asked_for() {
        for (raw, kept) in [
            ("Zoë@Bücher.example.net", "Zoë@xn--bcher-kva.example.net"),
            ("zoe\u{308}@example.org", "zoë@example.org"),
            ("用户.名@example.org", "用户.名@example.org"),
            ("हिन्दी@example.org", "हिन्दी@example.org"),
            ("anna@example.org", "anna@example.org"),
        ] {
            let address = EmailAddress::international(raw).unwrap();
            assert_eq!(address.expose(), kept);
            let again = EmailAddress::international(address.expose());
            assert_eq!(again, Ok(address));
        }
        let [upper, lower] =
            ["ZOË@example.org", "zoë@example.org"].map(EmailAddress::international);
        assert_eq!(upper.unwrap().key(), lower.unwrap().key());
    }

    #[test]
    fn what_only_looks_like_an_address_is_refused_however_it_is_asked_for() {
        for raw in [
            "zo\u{200B}ë@example.org",
            "a\u{202E}b@example.org",
            "😀@example.org",
            "a\u{A0}b@example.org",
            "\"zoë\"@example.org",
            "zoë..b@example.org",
            "zoë>@example.org",
            &format!("{}@example.org", "ë".repeat(33)),
        ] {
            assert_eq!(
                EmailAddress::international(raw),
                Err(AddressError::Local),
                "{raw:?}"
            );
        }
    }

    #[test]
    fn an_address_masks_itself() {
        let address: EmailAddress = "anna@mail.example.org".parse().unwrap();
        assert_eq!(address.to_string(), "a…@m….org");
        assert!(!format!("{address:?}").contains("anna"));
    }

    #[test]
    fn spellings_of_one_mailbox_are_counted_as_one() {
        let key = |raw: &str| raw.parse::<EmailAddress>().unwrap().abuse_key();
        let anna = key("anna.nkosi@gmail.com");
        assert_eq!(key("An.Na.Nkosi+soups@GoogleMail.com"), anna);
        assert_ne!(key("anna.nkosi@example.org"), anna);
        assert_eq!(key("+soups@example.org"), "+soups@example.org");
    }
}
