//! Readers who leave by mail: the subject of a mailto unsubscribe link
//! (RFC 6068, RFC 2369) brings its token back.

use crate::{
    domain::subscriber::SubscriberId,
    links::{DigestTag, Payload, Purpose, Signer},
};

/// What stands before the token.
const WORD: &str = "unsubscribe";

/// Who leaves which digest, if the subject carries a token that says so. Mail
/// programs break long subjects, put `Re:` before them, or leave the escape of
/// the space as it is.
pub(super) fn asked(subject: &str, signer: &Signer) -> Option<(SubscriberId, DigestTag)> {
    let lower = subject.to_ascii_lowercase();
    let at = lower.find(WORD)?;
    let rest = subject[at + WORD.len()..].replace("%20", " ");
    let token: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    match signer.verify(Purpose::Unsubscribe, &token) {
        Some(Payload::Reader { subscriber, digest }) => Some((subscriber, digest)),
        Some(Payload::Delivery(_) | Payload::Asked { .. }) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_a_mail_program_changed_still_counts_and_another_does_not() {
        let signer = Signer::new(&[1; 32]);
        let (subscriber, digest) = (
            SubscriberId([7; 16]),
            DigestTag::of(&"weekly".parse().unwrap()),
        );
        let payload = Payload::Reader { subscriber, digest };
        let token = signer.token(Purpose::Unsubscribe, &payload);
        let (head, tail) = token.split_at(30);
        for subject in [
            format!("unsubscribe {token}"),
            format!("Re: Unsubscribe  {token} "),
            format!("unsubscribe%20{token}"),
            format!("unsubscribe {head} {tail}"),
            format!("unsubscribe\t{head}\r\n {tail}"),
        ] {
            let found = asked(&subject, &signer);
            assert_eq!(found, Some((subscriber, digest)), "{subject}");
        }
        let manage = signer.token(Purpose::Manage, &payload);
        let foreign = Signer::new(&[2; 32]).token(Purpose::Unsubscribe, &payload);
        for subject in [
            String::new(),
            "unsubscribe".to_owned(),
            token.clone(),
            format!("unsubscribe {manage}"),
            format!("unsubscribe {foreign}"),
            format!("unsubscribe {token}x"),
            format!("unsubscribe {}", &token[1..]),
            "Automatic reply: Soups and 3 more".to_owned(),
            "İunsubscribe é".to_owned(),
        ] {
            assert_eq!(asked(&subject, &signer), None, "{subject}");
        }
    }
}
