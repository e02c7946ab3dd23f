//! Sample readers: a letter as it comes to somebody with a name, without one,
//! with a very long one, or with one that is written from right to left.

use mail_parser::MessageParser;

use super::press::Press;
use crate::{
    commands::{freezing, workspace::SAMPLE_KEY},
    domain::{address::EmailAddress, digest::Digest, subscriber::SubscriberId},
    links::Signer,
    mail::{Addressed, Composer, Rendered},
};

/// Who gets the letter that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleReader {
    Named,
    Nameless,
    Long,
    RightToLeft,
}

impl SampleReader {
    pub(super) const ALL: [Self; 4] = [Self::Named, Self::Nameless, Self::Long, Self::RightToLeft];

    /// Reads the word of an address; the first where it is none.
    pub(super) fn from_word(word: Option<&str>) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|one| Some(one.word()) == word)
            .unwrap_or(Self::Named)
    }

    /// The word in an address.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Nameless => "nameless",
            Self::Long => "long",
            Self::RightToLeft => "rtl",
        }
    }

    /// What people choose by.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Named => "With a name",
            Self::Nameless => "Without a name",
            Self::Long => "A long name",
            Self::RightToLeft => "An Arabic name",
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Named => Some("Thandi Mokoena"),
            Self::Nameless => None,
            Self::Long => Some(
                "Nompumelelo-Elizabeth Featherstonehaugh van der Westhuizen-Oosthuizen the Younger, \
                 Librarian of Schoemansdal",
            ),
            Self::RightToLeft => Some("فاطمة الزهراء العلوي"),
        }
    }
}

/// The HTML part filled for this reader; as it was rendered where it cannot be
/// made anew.
pub(super) fn html_for(
    reader: SampleReader,
    press: &Press,
    digest: &Digest,
    number: u32,
    rendered: &Rendered,
) -> String {
    let made = match reader {
        SampleReader::Named => None,
        other => filled(press, digest, number, rendered, other),
    };
    made.unwrap_or_else(|| rendered.html.clone())
}

fn filled(
    press: &Press,
    digest: &Digest,
    number: u32,
    rendered: &Rendered,
    reader: SampleReader,
) -> Option<String> {
    let known = press.known.get(&digest.name);
    let signer = Signer::new(known.map_or(&SAMPLE_KEY, |known| &known.install_key));
    let keys = freezing::signing_keys(&press.config).ok().flatten();
    let composer = Composer::new(rendered.edition.clone(), keys.as_ref()).ok()?;
    let address: EmailAddress = "thandi.mokoena@example.org".parse().ok()?;
    let to = Addressed {
        issue: 0,
        delivery: 0,
        issue_number: number,
        subscriber: SubscriberId([0; 16]),
        address: &address,
        name: reader.name(),
    };
    let eml = composer.message(&to, &signer).ok()?.to_bytes();
    let read = MessageParser::default().parse(&eml)?;
    Some(read.body_html(0)?.replace("\r\n", "\n"))
}
