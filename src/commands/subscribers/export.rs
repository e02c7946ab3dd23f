//! `subscribers export`: the list as CSV that spreadsheets cannot misread and
//! `import` takes back.

use std::{borrow::Cow, io::Write, path::PathBuf};

use clap::Args;

use super::{Row, each_reader, is_standard};
use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        talk::{Format, count},
        workspace,
    },
    config::Config,
    domain::subscriber::Status,
    files::{self, Readers},
};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Write here instead of standard output (mode 0600)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only this status
    #[arg(long)]
    status: Option<Status>,
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
    if context.talk.format == Format::Json {
        each_reader(&store, args.status, None, |reader| {
            context.talk.json_line(&Row::of(reader))
        })
        .await?;
        return Ok(Exit::Done);
    }
    let mut list = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::of(Exit::Io, &error);
    list.write_record(["email", "name", "status", "source", "created", "choice"])
        .map_err(failed)?;
    let out = args.out.as_ref().filter(|path| !is_standard(path));
    let seen = each_reader(&store, args.status, None, |reader| {
        list.write_record([
            guarded(reader.address.expose(), args.raw).as_ref(),
            guarded(reader.name.as_deref().unwrap_or(""), args.raw).as_ref(),
            reader.status.as_str(),
            guarded(&reader.source, args.raw).as_ref(),
            &reader.created.to_rfc3339(),
            &reader.choice.to_string(),
        ])
        .map_err(failed)
    })
    .await?;
    let bytes = list
        .into_inner()
        .map_err(|error| Failure::of(Exit::Io, error.error()))?;
    match out {
        Some(path) => files::write(path, &bytes, Readers::Owner).map_err(|error| {
            Failure::of(Exit::Io, &error).hint(format!("{} cannot be written", path.display()))
        })?,
        None => std::io::stdout()
            .write_all(&bytes)
            .map_err(|error| Failure::of(Exit::Io, &error))?,
    }
    context
        .talk
        .say(format!("{} exported", count(seen, "reader")));
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
