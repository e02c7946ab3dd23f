//! What the headers of bulk mail must say (RFC 5322, 2047, 2369, 6376, 8058),
//! and that the letter itself says how to leave and who writes.

use mail_parser::{Message, MessageParser};
use unicode_width::UnicodeWidthStr;

use super::{Finding, Measure, Part, Rule, excerpt, page::Page};
use crate::{
    config::settings::{DkimSettings, MailSettings, Relay},
    mail::{mime::check_wire, render::Rendered},
};

/// Without these a message is no mail, or no mail of a list.
const NEEDED: [&str; 12] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "List-Id",
    "List-Archive",
    "Feedback-ID",
    "Auto-Submitted",
    "Precedence",
];
/// What a signature covers, where the message has it.
const SIGNED: [&str; 11] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "reply-to",
];
/// Columns of a subject that a phone or a list of mails shows.
const SHOWN_SUBJECT: usize = 75;
/// Rendering cuts at 255 characters, at the end of a word's last grapheme; what
/// ends in `…` and is longer than this was cut.
const SURELY_CUT: usize = 220;
/// Most characters of a line with encoded-words (RFC 2047, 2).
const ENCODED_LINE: usize = 76;
/// Most characters of an encoded-word (RFC 2047, 2).
const ENCODED_WORD: usize = 75;
/// Most characters of a line that could be folded (RFC 5322, 2.1.1).
const FOLDED_LINE: usize = 78;
/// Most bytes of a one-click address that every provider takes.
const LONGEST_ONE_CLICK: usize = 900;

/// Finds what is wrong with the headers, and with what the law wants said.
pub(super) fn check(
    letter: &Rendered,
    measure: &Measure<'_>,
    page: &Page,
    found: &mut Vec<Finding>,
) {
    if let Err(error) = check_wire(&letter.eml) {
        let remedy = "this should not happen; please report it";
        found.push(Finding::error(
            Rule::Wire,
            Part::Headers,
            error.to_string(),
            remedy,
        ));
    }
    let Some(message) = MessageParser::default().parse(&letter.eml) else {
        let what = "the message cannot be read back";
        let remedy = "this should not happen; please report it";
        found.push(Finding::error(Rule::Wire, Part::Headers, what, remedy));
        return;
    };
    for name in NEEDED {
        if message.header_raw(name).is_none() {
            let what = format!("there is no {name} header");
            let remedy = "this should not happen; please report it";
            found.push(Finding::error(Rule::Header, Part::Headers, what, remedy));
        }
    }
    form(letter, measure.settings, &message, found);
    subject(letter, found);
    let ways = unsubscribing(measure.settings, &message, found);
    unsubscribe_link(letter, page, &ways, found);
    postal_address(letter, measure.settings, page, found);
    if let Some(dkim) = &measure.settings.dkim {
        signatures(dkim, measure.settings, &message, found);
    }
}

fn form(
    letter: &Rendered,
    settings: &MailSettings,
    message: &Message<'_>,
    found: &mut Vec<Finding>,
) {
    let text = String::from_utf8_lossy(&letter.eml);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let warn = |number, what: String, remedy: &str| {
        Finding::warning(Rule::HeaderForm, Part::Headers, what, remedy).at(number)
    };
    let ours = "this should not happen; please report it";
    for (number, line) in (1..).zip(head.split("\r\n")) {
        let words = || line.split_ascii_whitespace();
        let has_encoded = words().any(is_encoded_word);
        let could_fold = words().count() > 2;
        let most = if has_encoded {
            ENCODED_LINE
        } else {
            FOLDED_LINE
        };
        if line.len() > most && could_fold {
            let what = format!("`{}` is {} characters long", excerpt(line), line.len());
            found.push(warn(number, what, ours));
        }
        if words().any(|word| is_encoded_word(word) && word.len() > ENCODED_WORD) {
            let what = format!(
                "`{}` holds an encoded-word of more than 75 characters",
                excerpt(line)
            );
            found.push(warn(number, what, ours));
        }
    }
    for (name, plain) in [("Subject", &letter.subject), ("From", &settings.from.name)] {
        let raw = message.header_raw(name).unwrap_or_default();
        if plain.is_ascii()
            && !plain.contains("=?")
            && raw.split_ascii_whitespace().any(is_encoded_word)
        {
            let what = format!("{name} is encoded and has no need to be: spam filters mind");
            found.push(Finding::warning(
                Rule::HeaderForm,
                Part::Headers,
                what,
                ours,
            ));
        }
    }
}

fn is_encoded_word(word: &str) -> bool {
    word.starts_with("=?") && word.len() > 6 && word.ends_with("?=")
}

fn subject(letter: &Rendered, found: &mut Vec<Finding>) {
    let remedy = "shorten the lead's title, or the digest's `subject`";
    if letter.subject.ends_with('…') && letter.subject.chars().count() > SURELY_CUT {
        let what = "the subject is longer than 255 characters, and its end is cut off";
        let finding = Finding::warning(Rule::SubjectLength, Part::Settings, what, remedy);
        found.push(finding.about("digest.subject"));
        return;
    }
    let width = letter.subject.width();
    if width > SHOWN_SUBJECT {
        let what = format!(
            "the subject `{}` is {width} columns wide, and lists of mail show about {SHOWN_SUBJECT}",
            excerpt(&letter.subject)
        );
        let finding = Finding::warning(Rule::SubjectLength, Part::Settings, what, remedy);
        found.push(finding.about("digest.subject"));
    }
}

/// Looks at List-Unsubscribe and returns its addresses.
fn unsubscribing(
    settings: &MailSettings,
    message: &Message<'_>,
    found: &mut Vec<Finding>,
) -> Vec<String> {
    let part = Part::Headers;
    let error = |what: String| {
        let remedy = "this should not happen; please report it";
        Finding::error(Rule::ListUnsubscribe, part, what, remedy)
    };
    let raw = message.header_raw("List-Unsubscribe").unwrap_or_default();
    let ways: Vec<String> = raw
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(way, _)| way.split_ascii_whitespace().collect())
        .collect();
    let of = |scheme: &str| ways.iter().filter(|way| way.starts_with(scheme)).count();
    let (pages, mails) = (of("https://"), of("mailto:"));
    if mails != 1 || pages > 1 || pages + mails != ways.len() {
        found.push(error(format!(
            "List-Unsubscribe has {pages} https and {mails} mailto addresses, and should have one of each"
        )));
    }
    let leaves_here = |relay: &Relay| matches!(relay, Relay::Folder(_));
    let stays = settings.relays.iter().all(|one| leaves_here(&one.relay));
    if pages == 0 && !stays {
        let what = "List-Unsubscribe has no https address: Gmail and Yahoo want one from lists";
        let remedy = "set `serve.public_url` to the https address of `letterpress serve`";
        let finding = Finding::warning(Rule::ListUnsubscribe, Part::Settings, what, remedy);
        found.push(finding.about("serve.public_url"));
    }
    let post = message.header_raw("List-Unsubscribe-Post").map(str::trim);
    if pages > 0 && post != Some("List-Unsubscribe=One-Click") {
        found.push(error(
            "List-Unsubscribe-Post is not `List-Unsubscribe=One-Click`".to_owned(),
        ));
    }
    let long = ways.iter().find(|way| way.len() > LONGEST_ONE_CLICK);
    if let Some(long) = long {
        found.push(error(format!(
            "an address of List-Unsubscribe has {} bytes, and {LONGEST_ONE_CLICK} are safe",
            long.len()
        )));
    }
    ways
}

fn unsubscribe_link(letter: &Rendered, page: &Page, ways: &[String], found: &mut Vec<Finding>) {
    let is_way = |address: &str| ways.iter().any(|way| way == address);
    let in_html = page.all("a").any(|(index, link)| {
        let href = link.attribute("href").unwrap_or_default();
        is_way(href) && !page.text_in(index).is_empty()
    });
    let in_text = ways.iter().any(|way| letter.text.contains(way));
    for (is_there, part, file) in [(in_html, Part::Html, "html"), (in_text, Part::Text, "txt")] {
        if !is_there {
            let what = match part {
                Part::Html => "the HTML part has no link to unsubscribe",
                _ => "the text part has no link to unsubscribe",
            };
            let remedy =
                format!("print `{{{{ reader.unsubscribe_url }}}}` in the kind's `issue.{file}`");
            found.push(Finding::error(Rule::Unsubscribe, part, what, remedy));
        }
    }
}

fn postal_address(
    letter: &Rendered,
    settings: &MailSettings,
    page: &Page,
    found: &mut Vec<Finding>,
) {
    let Some(address) = &settings.list.postal_address else {
        let what = "there is no postal address, which the law of many countries wants in such mail";
        let remedy = "add `postal_address = \"…\"` to [mail.list]";
        let finding = Finding::warning(Rule::PostalAddress, Part::Settings, what, remedy);
        found.push(finding.about("mail.list"));
        return;
    };
    let words = |text: &str| -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ")
    };
    let html = match page.all("body").next() {
        Some((body, _)) => page.text_in(body),
        None => String::new(),
    };
    let text = words(&letter.text);
    let is_in = |whole: &str| address.lines().all(|line| whole.contains(&words(line)));
    for (is_there, part, file) in [
        (is_in(&html), Part::Html, "html"),
        (is_in(&text), Part::Text, "txt"),
    ] {
        if !is_there {
            let what = match part {
                Part::Html => "the HTML part lacks the postal address",
                _ => "the text part lacks the postal address",
            };
            let remedy =
                format!("print `{{{{ list.postal_address }}}}` in the kind's `issue.{file}`");
            found.push(Finding::error(Rule::PostalAddress, part, what, remedy));
        }
    }
}

/// Each signature must cover what receivers trust, for a domain that is the
/// sender's (RFC 7489, 3.1.1).
fn signatures(
    dkim: &DkimSettings,
    settings: &MailSettings,
    message: &Message<'_>,
    found: &mut Vec<Finding>,
) {
    let error = |what: String, remedy: &str| {
        Finding::error(Rule::Dkim, Part::Settings, what, remedy).about("mail.dkim")
    };
    let from = settings.from.address.domain();
    let is_below = |one: &str, other: &str| one == other || one.ends_with(&format!(".{other}"));
    if !is_below(from, &dkim.domain) && !is_below(&dkim.domain, from) {
        found.push(error(
            format!("mail from {from} is signed for {}", dkim.domain),
            "use the sender's domain in `mail.dkim.domain`: DMARC wants them to agree",
        ));
    }
    let ours = "this should not happen; please report it";
    for (name, signature) in message.headers_raw() {
        if !name.eq_ignore_ascii_case("DKIM-Signature") {
            continue;
        }
        let tags: Vec<(&str, String)> = signature
            .split(';')
            .filter_map(|tag| tag.split_once('='))
            .map(|(name, value)| (name.trim(), value.split_ascii_whitespace().collect()))
            .collect();
        let tag = |name| tags.iter().find(|(known, _)| *known == name);
        let listed = tag("h").map_or("", |(_, value)| value.as_str());
        for wanted in SIGNED {
            let is_listed = listed
                .split(':')
                .any(|one| one.eq_ignore_ascii_case(wanted));
            if message.header_raw(wanted).is_some() && !is_listed {
                found.push(error(
                    format!("the DKIM signature does not cover {wanted}"),
                    ours,
                ));
            }
        }
        if tag("l").is_some() {
            found.push(error(
                "the DKIM signature has `l=`: anybody may add to the letter".to_owned(),
                ours,
            ));
        }
    }
}
