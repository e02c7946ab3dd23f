//! Whose message a report is about: only a token of ours says so, never an
//! address or a word in the report, which anybody can write.

use std::collections::{HashMap, HashSet};

use super::fields::Fields;
use crate::{
    domain::delivery::{DeliveryId, IssueId},
    links::{Payload, Purpose, Signer, bounce_tokens},
};

/// Fields in which servers note to whom they delivered a mail, and `To`.
const RECIPIENTS: [&str; 6] = [
    "Delivered-To",
    "X-Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "To",
];

/// What a report says its message was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Proven by the token of its envelope sender.
    Delivery(DeliveryId),
    /// Its Message-ID, without brackets and domain: still to be proven
    /// ([`marks_of`]).
    Named {
        /// The number of the issue in it.
        number: u32,
        /// All of it up to the domain.
        mark: String,
    },
}

/// Why a report is about no message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nobody {
    /// Nothing in it is ours.
    NoToken,
    /// It names several messages: no server says that of one.
    Several,
}

/// Finds whose message a report is about: by the envelope sender that the
/// report was sent to or that it names, else by the Message-ID of the message
/// that it returns.
pub(super) fn find(
    report: &Fields,
    senders: &[String],
    returned: Option<&Fields>,
    signer: &Signer,
) -> Result<Whose, Nobody> {
    let to = RECIPIENTS.into_iter().flat_map(|name| report.all(name));
    let back = returned
        .into_iter()
        .flat_map(|fields| fields.all("Return-Path"));
    let texts = to.chain(back).chain(senders.iter().map(String::as_str));
    let proven: HashSet<DeliveryId> = texts
        .flat_map(bounce_tokens)
        .filter_map(|token| match signer.verify(Purpose::Bounce, token) {
            Some(Payload::Delivery(delivery)) => Some(delivery),
            Some(Payload::Reader { .. } | Payload::Asked { .. }) | None => None,
        })
        .collect();
    let mut proven = proven.into_iter();
    match (proven.next(), proven.next()) {
        (None, _) => named(returned).ok_or(Nobody::NoToken),
        (Some(delivery), None) => Ok(Whose::Delivery(delivery)),
        (Some(_), Some(_)) => Err(Nobody::Several),
    }
}

/// The Message-ID of the returned message, where it has the shape of ours.
fn named(returned: Option<&Fields>) -> Option<Whose> {
    let id = returned?.first("Message-ID")?;
    let inner = id.trim().strip_prefix('<')?.strip_suffix('>')?;
    let (mark, _) = inner.rsplit_once('@')?;
    let (secret, number) = mark.split_once('.')?;
    let is_ours = secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_alphanumeric());
    let number = number.parse().ok()?;
    is_ours.then(|| Whose::Named {
        number,
        // Servers that rewrite headers may change its case.
        mark: mark.to_ascii_lowercase(),
    })
}

/// The marks that Message-IDs of these deliveries begin with. They are made
/// anew from the install key, which is what proves a Message-ID.
#[must_use]
pub fn marks_of<'m>(
    signer: &Signer,
    issue: IssueId,
    number: u32,
    deliveries: std::ops::RangeInclusive<DeliveryId>,
    wanted: &HashSet<&'m str>,
) -> HashMap<&'m str, DeliveryId> {
    let mut found = HashMap::new();
    for delivery in deliveries {
        if found.len() == wanted.len() {
            break;
        }
        let id = signer.message_id(issue, delivery, number, "");
        let mark = id.trim_start_matches('<').trim_end_matches("@>");
        if let Some(mark) = wanted.get(mark) {
            found.insert(*mark, delivery);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes())
    }

    #[test]
    fn a_token_outweighs_a_message_id_and_two_tokens_are_nobodys() {
        let signer = Signer::new(&[1; 32]);
        let (one, two) = (signer.bounce_local(5), signer.bounce_local(6));
        let to_one = fields(&format!("To: <{one}@bounces.example.org>\n"));
        let id = signer.message_id(1, 9, 3, "example.org");
        let returned = fields(&format!("Message-ID: {id}\n"));
        let both = find(&to_one, &[], Some(&returned), &signer);
        assert_eq!(both, Ok(Whose::Delivery(5)));
        let other = [format!("rfc822; {two}@bounces.example.org")];
        assert_eq!(find(&to_one, &other, None, &signer), Err(Nobody::Several));
        let same = [format!(
            "rfc822; {}@b.example.org",
            one.to_ascii_uppercase()
        )];
        assert_eq!(find(&to_one, &same, None, &signer), Ok(Whose::Delivery(5)));
    }

    #[test]
    fn a_message_id_is_proven_by_making_it_again() {
        let signer = Signer::new(&[1; 32]);
        let id = signer.message_id(1, 9, 3, "example.org");
        let returned = fields(&format!("Message-ID: {id}\n"));
        let nobody = fields("To: bounces@example.org\n");
        let Ok(Whose::Named { number, mark }) = find(&nobody, &[], Some(&returned), &signer) else {
            panic!("not found");
        };
        assert_eq!(number, 3);
        let wanted = HashSet::from([mark.as_str()]);
        let found = marks_of(&signer, 1, 3, 1..=20, &wanted);
        assert_eq!(found, HashMap::from([(mark.as_str(), 9)]));
        assert!(marks_of(&Signer::new(&[2; 32]), 1, 3, 1..=20, &wanted).is_empty());
        assert!(marks_of(&signer, 2, 3, 1..=20, &wanted).is_empty());
    }

    #[test]
    fn what_has_no_token_of_ours_is_nobodys() {
        let signer = Signer::new(&[1; 32]);
        let foreign = Signer::new(&[2; 32]).bounce_local(5);
        let forged = fields(&format!("To: {foreign}@bounces.example.org\n"));
        assert_eq!(find(&forged, &[], None, &signer), Err(Nobody::NoToken));
        for id in [
            "<a@b>",
            "a.1@b",
            "<.@>",
            "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x@b>",
        ] {
            let returned = fields(&format!("Message-ID: {id}\n"));
            let found = find(&forged, &[], Some(&returned), &signer);
            assert_eq!(found, Err(Nobody::NoToken), "{id}");
        }
    }
}
