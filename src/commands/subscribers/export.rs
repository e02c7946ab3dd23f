//! `subscribers export`: the list as CSV that spreadsheets cannot misread and
//! `import` takes back, the record of consent, and one person's own data.

use std::{borrow::Cow, io::Write, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Row, each_reader, is_standard, parse, segment::Segment};
use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        talk::{Format, count},
        workspace,
    },
    config::Config,
    domain::address::EmailAddress,
    files::{self, Readers},
    store::{Event, Store},
};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Write here instead of standard output (mode 0600)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    segment: Segment,
    /// The record of consent instead of the list, one line for each happening
    #[arg(long)]
    consent: bool,
    /// Everything that is known of this reader, as JSON, for themselves
    #[arg(long, value_name = "ADDRESS", conflicts_with = "consent")]
    of: Option<String>,
    /// Leave cells that begin with = + - @ as they are
    #[arg(long)]
    raw: bool,
}

pub(super) async fn run(
    context: &Context,
    config: &Config,
    args: &Export,
) -> Result<Exit, Failure> {
    let store = workspace::needed_ledger(context, config).await?;
    if let Some(raw) = &args.of {
        return one(&store, args, &parse(raw)?).await;
    }
    let mut out = Output::of(context, args)?;
    let readers = match args.consent {
        true => consent(config, &store, args, &mut out).await?,
        false => list(config, &store, args, &mut out).await?,
    };
    out.finish(args)?;
    context
        .talk
        .say(format!("{} exported", count(readers, "reader")));
    Ok(Exit::Done)
}

/// What is written: lines of JSON, or rows of CSV.
enum Output {
    Json(Vec<u8>),
    Csv(Box<csv::Writer<Vec<u8>>>),
}

impl Output {
    fn of(context: &Context, args: &Export) -> Result<Self, Failure> {
        if context.talk.format == Format::Json {
            return Ok(Self::Json(Vec::new()));
        }
        let mut list = csv::Writer::from_writer(Vec::new());
        let head: &[&str] = match args.consent {
            true => &[
                "email",
                "at",
                "kind",
                "what",
                "source",
                "network",
                "wording_sha256",
                "wording",
            ],
            false => &["email", "name", "status", "source", "created", "choice"],
        };
        list.write_record(head)
            .map_err(|error| Failure::of(Exit::Io, &error))?;
        Ok(Self::Csv(Box::new(list)))
    }

    /// One line, which has these cells or is this document.
    fn line(
        &mut self,
        document: &impl Serialize,
        cells: &[&str],
        is_raw: bool,
    ) -> Result<(), Failure> {
        match self {
            Self::Json(bytes) => {
                serde_json::to_writer(&mut *bytes, document)
                    .map_err(|error| Failure::of(Exit::Internal, &error))?;
                bytes.push(b'\n');
                Ok(())
            }
            Self::Csv(list) => list
                .write_record(cells.iter().map(|cell| guarded(cell, is_raw).into_owned()))
                .map_err(|error| Failure::of(Exit::Io, &error)),
        }
    }

    fn finish(self, args: &Export) -> Result<(), Failure> {
        let bytes = match self {
            Self::Json(bytes) => bytes,
            Self::Csv(list) => list
                .into_inner()
                .map_err(|error| Failure::of(Exit::Io, error.error()))?,
        };
        write(args, &bytes)
    }
}

fn write(args: &Export, bytes: &[u8]) -> Result<(), Failure> {
    match args.out.as_ref().filter(|path| !is_standard(path)) {
        Some(path) => files::write(path, bytes, Readers::Owner).map_err(|error| {
            Failure::of(Exit::Io, &error).hint(format!("{} cannot be written", path.display()))
        }),
        None => std::io::stdout()
            .write_all(bytes)
            .map_err(|error| Failure::of(Exit::Io, &error)),
    }
}

async fn list(
    config: &Config,
    store: &Store,
    args: &Export,
    out: &mut Output,
) -> Result<usize, Failure> {
    each_reader(config, store, &args.segment, None, |reader| {
        let cells = [
            reader.address.expose(),
            reader.name.as_deref().unwrap_or(""),
            reader.status.as_str(),
            &reader.source,
            &reader.created.to_rfc3339(),
            &reader.choice.to_string(),
        ];
        out.line(&Row::of(reader), &cells, args.raw)
    })
    .await
}

/// One happening, with whom it happened to.
#[derive(Serialize)]
struct Happened<'a> {
    email: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

async fn consent(
    config: &Config,
    store: &Store,
    args: &Export,
    out: &mut Output,
) -> Result<usize, Failure> {
    let mut readers: Vec<EmailAddress> = Vec::new();
    each_reader(config, store, &args.segment, None, |reader| {
        readers.push(reader.address.clone());
        Ok(())
    })
    .await?;
    for address in &readers {
        let story = store.why(address, None).await;
        for event in story.map_err(workspace::store_failure)?.events {
            let wording = event.wording.as_ref();
            let cells = [
                address.expose(),
                &event.at.to_rfc3339(),
                &event.kind,
                &event.what,
                &event.source,
                event.network.as_deref().unwrap_or(""),
                wording.map_or("", |wording| &wording.sha256),
                wording.map_or("", |wording| &wording.words),
            ];
            let happened = Happened {
                email: address.expose(),
                event: &event,
            };
            out.line(&happened, &cells, args.raw)?;
        }
    }
    Ok(readers.len())
}

/// Everything about one person, for that person.
async fn one(store: &Store, args: &Export, address: &EmailAddress) -> Result<Exit, Failure> {
    let data = store.personal_data(address.into()).await;
    let Some(data) = data.map_err(workspace::store_failure)? else {
        return Err(super::nobody(address));
    };
    let mut bytes =
        serde_json::to_vec_pretty(&data).map_err(|error| Failure::of(Exit::Internal, &error))?;
    bytes.push(b'\n');
    write(args, &bytes)?;
    Ok(Exit::Done)
}

/// Spreadsheets run cells that begin like a formula; an apostrophe stops them.
fn guarded(cell: &str, is_raw: bool) -> Cow<'_, str> {
    if !is_raw && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_be_a_formula() {
        assert_eq!(guarded("=cmd()", false), "'=cmd()");
        assert_eq!(guarded("=cmd()", true), "=cmd()");
        assert_eq!(guarded("Anna", false), "Anna");
    }
}
