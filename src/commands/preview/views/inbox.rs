//! The messages of a folder relay, as a small inbox: what readers would have
//! got, read back by a parser that is not ours.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use mail_parser::{Message, MessageParser};
use serde::Serialize;

use super::{
    super::{
        frames::{self, Scheme},
        proof::Proof,
        routes::HOME,
        ui::{self, Place, size},
    },
    Tab,
    article::{FORCED, Frame, UNPICTURED},
    code::{self, Language, Line},
};
use crate::{
    config::settings::Relay,
    domain::address::EmailAddress,
    web::{Answer, Asked, Trust},
};

/// Messages in the list; a folder may hold thousands.
const MOST: usize = 100;
/// A larger file is no letter.
const MOST_BYTES: u64 = 25_000_000;

#[derive(Serialize)]
struct List {
    folder: String,
    messages: Vec<Row>,
    /// Older ones.
    more: usize,
}

/// A message in a line or two.
#[derive(Serialize)]
struct Row {
    name: String,
    url: String,
    from: String,
    /// Masked as everywhere.
    to: String,
    subject: String,
    date: String,
    size: String,
}

#[derive(Serialize)]
struct View {
    message: Row,
    tabs: Vec<Tab>,
    frame: Option<Frame>,
    text: Option<String>,
    lines: Vec<Line>,
}

/// The folder that messages are written into, if the relay is one.
pub(in super::super) fn folder(proof: &Proof) -> Option<&Path> {
    let mail = proof.press.config.mail.as_ref()?;
    mail.relays.iter().find_map(|one| match &one.relay {
        Relay::Folder(folder) => Some(folder.as_path()),
        Relay::Smtp(_) => None,
    })
}

/// The list, or one message.
pub(in super::super) fn show(proof: &Proof, name: &str, asked: &Asked) -> Answer {
    let Some(folder) = folder(proof) else {
        return ui::not_here(proof, "messages go to a server, not into a folder");
    };
    if name.is_empty() {
        return list(proof, folder);
    }
    let Some(bytes) = read(folder, name) else {
        return ui::not_here(proof, "the folder has no such message");
    };
    let Some(message) = MessageParser::default().parse(&bytes) else {
        return ui::not_here(proof, "the file is no message");
    };
    let here = format!("{HOME}inbox/{name}");
    let way = asked.value("view").unwrap_or_default();
    let mut view = View {
        message: Row::of(name, &message, bytes.len()),
        tabs: tabs(&here, &way),
        frame: None,
        text: None,
        lines: Vec::new(),
    };
    match way.as_str() {
        "text" => view.text = message.body_text(0).map(|text| text.replace("\r\n", "\n")),
        "source" => {
            let source = String::from_utf8_lossy(&bytes);
            view.lines = code::lines(&source, Language::Plain);
        }
        _ => {
            let letter = format!("{HOME}mail/{name}");
            view.frame = Some(Frame::of_letter(&letter, &format!("{here}?"), asked));
        }
    }
    let title = view.message.subject.clone();
    ui::page(proof, "message.html", (Some(Place::Inbox), &title), &view)
}

fn tabs(here: &str, way: &str) -> Vec<Tab> {
    let ways = [("As HTML", ""), ("As text", "text"), ("Source", "source")];
    let tab = |(label, word): (&'static str, &str)| Tab {
        label,
        url: match word {
            "" => here.to_owned(),
            word => format!("{here}?view={word}"),
        },
        is_here: word == way,
    };
    ways.map(tab).into()
}

fn list(proof: &Proof, folder: &Path) -> Answer {
    let mut files = files(folder);
    files.sort_by_key(|(name, written)| (Reverse(*written), Reverse(name.clone())));
    let rows = files.iter().take(MOST).filter_map(|(name, _)| {
        let bytes = read(folder, name)?;
        let message = MessageParser::default().parse_headers(&bytes)?;
        Some(Row::of(name, &message, bytes.len()))
    });
    let root = &proof.press.config.root;
    let list = List {
        messages: rows.collect(),
        more: files.len().saturating_sub(MOST),
        folder: folder
            .strip_prefix(root)
            .unwrap_or(folder)
            .display()
            .to_string(),
    };
    ui::page(proof, "inbox.html", (Some(Place::Inbox), "Inbox"), &list)
}

/// The messages of the folder and when each was written.
fn files(folder: &Path) -> Vec<(String, SystemTime)> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let messages = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let written = entry.metadata().ok()?.modified().ok()?;
        is_message(&name).then_some((name, written))
    });
    messages.collect()
}

/// A name that our folder relay gives: no path, no address with escapes.
fn is_message(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    name.ends_with(".eml") && !name.starts_with('.') && name.bytes().all(is_plain)
}

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    if !is_message(name) {
        return None;
    }
    let file: PathBuf = folder.join(name);
    let facts = fs::symlink_metadata(&file).ok()?;
    let is_letter = facts.is_file() && facts.len() <= MOST_BYTES;
    is_letter.then(|| fs::read(file).ok())?
}

impl Row {
    fn of(name: &str, message: &Message<'_>, bytes: usize) -> Self {
        let first = |group: Option<&mail_parser::Address<'_>>| {
            let one = group?.first()?;
            let address = one.address()?;
            // What is no address we could write to is shown as far as it goes.
            let masked: Option<EmailAddress> = EmailAddress::international(address).ok();
            let masked = masked.map_or_else(|| "…".to_owned(), |address| address.to_string());
            Some(match one.name() {
                Some(name) => (name.to_owned(), masked),
                None => (masked.clone(), masked),
            })
        };
        Self {
            url: format!("{HOME}inbox/{name}"),
            name: name.to_owned(),
            from: first(message.from()).map_or_else(String::new, |(name, _)| name),
            to: first(message.to()).map_or_else(String::new, |(_, address)| address),
            subject: message.subject().unwrap_or("(no subject)").to_owned(),
            date: message
                .date()
                .map(|date| date.to_rfc822())
                .unwrap_or_default(),
            size: size(bytes),
        }
    }
}

/// The HTML part of a message, for a frame.
pub(in super::super) fn html(proof: &Proof, name: &str, asked: &Asked) -> Answer {
    let bytes = folder(proof).and_then(|folder| read(folder, name));
    let message = bytes
        .as_deref()
        .and_then(|bytes| MessageParser::default().parse(bytes));
    let Some(html) = message.as_ref().and_then(|message| message.body_html(0)) else {
        return ui::not_here(proof, "the folder has no such message");
    };
    let html = frames::local(&html, &proof.press.config.publication.base_url);
    let look = asked.value("scheme").unwrap_or_default();
    looked_at(html, &look)
}

/// A letter as a client shows it that does `look` to it.
pub(super) fn looked_at(mut html: String, look: &str) -> Answer {
    let scheme = match look {
        FORCED | UNPICTURED => Some(Scheme::Light),
        word => Scheme::from_word(word),
    };
    if let Some(scheme) = scheme {
        html = frames::in_scheme(&html, scheme);
    }
    if look == FORCED {
        html = frames::inverted(&html);
    }
    let trust = match look == UNPICTURED {
        true => Trust::LetterWithoutPictures,
        false => Trust::Letter,
    };
    let html = frames::opening_elsewhere(&html);
    Answer::of("text/html; charset=utf-8", trust, html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_messages_are_read() {
        assert!(is_message("weekly-0001-0000001.eml"));
        assert!(is_message("test-weekly-1.eml"));
        for name in [
            "../x.eml", ".x.eml", "a/b.eml", "x.txt", "x.eml~", "", "a b.eml",
        ] {
            assert!(!is_message(name), "{name}");
        }
    }
}
