//! A mailbox that is open: mails come out one by one, and are put away once the
//! ledger has their effect.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use super::server;
use crate::{
    commands::{
        exit::{Exit, Failure},
        workspace,
    },
    config::settings::BounceSource,
    inbound::mailbox::{
        self,
        imap::Imap,
        maildir::Maildir,
        mbox::{Mbox, Place},
    },
    store::{MailboxPlace, Store},
};

/// An open mailbox.
pub(super) struct Mailbox {
    /// What to call it.
    pub(super) name: String,
    kind: Kind,
}

enum Kind {
    Maildir(Maildir, VecDeque<PathBuf>),
    Mbox(Box<Mbox>),
    Imap(Box<Imap>),
    /// One mail.
    Pipe(Option<Vec<u8>>),
}

/// What a mail is put away by.
pub(super) enum Handle {
    File(PathBuf),
    Number(u32),
    /// Nothing is to be done: the mailbox remembers how far it was read, or the
    /// mail is gone with the pipe.
    Nothing,
}

impl Mailbox {
    /// One mail from standard input.
    pub(super) fn pipe() -> Result<Self, Failure> {
        let mail = mailbox::from_pipe(io::stdin().lock());
        let mail = mail.map_err(|error| failure("standard input", error))?;
        Ok(Self {
            name: "standard input".to_owned(),
            kind: Kind::Pipe(Some(mail)),
        })
    }

    /// Opens a mailbox where it was left off.
    pub(super) async fn open(source: &BounceSource, store: &Store) -> Result<Self, Failure> {
        let name = source.to_string();
        let kind = match source {
            BounceSource::Maildir(path) => maildir(path),
            BounceSource::Mbox(path) => {
                let known = store.mailbox_place(&name).await;
                mbox(path, known.map_err(workspace::store_failure)?)
            }
            BounceSource::Imap(imap) => {
                let imap = server::open(imap).await?;
                Ok(Kind::Imap(Box::new(imap)))
            }
        };
        Ok(Self {
            kind: kind.map_err(|error| failure(&name, error))?,
            name,
        })
    }

    /// The next mail; `None` when there is no other.
    pub(super) async fn next(&mut self) -> Result<Option<(Handle, Vec<u8>)>, Failure> {
        let next = match &mut self.kind {
            Kind::Maildir(maildir, unseen) => next_file(maildir, unseen),
            Kind::Mbox(mbox) => mbox
                .next_mail()
                .map(|mail| mail.map(|mail| (Handle::Nothing, mail))),
            Kind::Imap(imap) => {
                let next = imap.next_mail().await;
                let next = next.map_err(|error| server::failure(&self.name, &error))?;
                Ok(next.map(|(number, mail)| (Handle::Number(number), mail)))
            }
            Kind::Pipe(mail) => Ok(mail.take().map(|mail| (Handle::Nothing, mail))),
        };
        next.map_err(|error| failure(&self.name, error))
    }

    /// How far it is read, where that is to be remembered.
    pub(super) fn place(&mut self) -> Result<Option<MailboxPlace>, Failure> {
        let Kind::Mbox(mbox) = &mut self.kind else {
            return Ok(None);
        };
        let place = mbox.place();
        let Place { offset, tail } = place.map_err(|error| failure(&self.name, error))?;
        Ok(Some(MailboxPlace {
            source: self.name.clone(),
            offset,
            tail,
        }))
    }

    /// Puts mails away whose effect is on stable storage.
    pub(super) async fn settle(&mut self, handles: Vec<Handle>) -> Result<(), Failure> {
        let mut numbers = Vec::new();
        for handle in handles {
            match (&self.kind, handle) {
                (Kind::Maildir(maildir, _), Handle::File(path)) => maildir
                    .settle(&path)
                    .map_err(|error| failure(&self.name, error))?,
                (_, Handle::Number(number)) => numbers.push(number),
                (_, Handle::File(_) | Handle::Nothing) => {}
            }
        }
        if let Kind::Imap(imap) = &mut self.kind {
            let settled = imap.settle(&numbers).await;
            settled.map_err(|error| server::failure(&self.name, &error))?;
        }
        Ok(())
    }
}

fn maildir(path: &Path) -> io::Result<Kind> {
    let maildir = Maildir::at(path);
    let unseen = maildir.unseen()?;
    Ok(Kind::Maildir(maildir, unseen.into()))
}

fn mbox(path: &Path, known: Option<MailboxPlace>) -> io::Result<Kind> {
    let known = known.map(|place| Place {
        offset: place.offset,
        tail: place.tail,
    });
    Mbox::open(path, known.as_ref()).map(|mbox| Kind::Mbox(Box::new(mbox)))
}

fn next_file(
    maildir: &Maildir,
    unseen: &mut VecDeque<PathBuf>,
) -> io::Result<Option<(Handle, Vec<u8>)>> {
    while let Some(path) = unseen.pop_front() {
        if let Some(mail) = maildir.read(&path)? {
            return Ok(Some((Handle::File(path), mail)));
        }
    }
    Ok(None)
}

fn failure(name: &str, error: io::Error) -> Failure {
    let (exit, hint) = match error.kind() {
        io::ErrorKind::NotFound => (
            Exit::NoInput,
            "a Maildir has the folders `new` and `cur`; see `bounces.source` and docs/bounces.md",
        ),
        io::ErrorKind::PermissionDenied => (
            Exit::Io,
            "let the account that runs Letterpress read it, and move mail in a Maildir",
        ),
        io::ErrorKind::WouldBlock => (Exit::Temporary, "the next run tries again"),
        _ => (Exit::Io, "nothing is lost: the mail stays where it is"),
    };
    Failure::of(exit, &error)
        .within(format!("{name} cannot be read"))
        .hint(hint)
}
