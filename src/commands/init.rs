//! `init`: a starter publication that `run` accepts as it is.

use std::path::PathBuf;

use chrono::{Datelike, Days};
use clap::Args;
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
};
use crate::{
    config::FILE_NAME,
    files::{self, Readers},
};

/// Make a starter publication
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress init                 here
  letterpress init magazine        in a new folder

Writes letterpress.toml, two articles with a picture, and a list with one
reader. Then: `letterpress run` builds the feeds; `letterpress send weekly`
writes the first issue into outbox/. Nothing that is there is overwritten.")]
pub struct Init {
    /// Where
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// The files of the starter; `{…}` in the text ones is filled in.
const TEXTS: [(&str, &str); 5] = [
    (FILE_NAME, include_str!("starter/letterpress.toml")),
    (
        "content/letters/_index.md",
        include_str!("starter/content/letters/_index.md"),
    ),
    (
        "content/letters/welcome.md",
        include_str!("starter/content/letters/welcome.md"),
    ),
    (
        "content/letters/how-this-works.md",
        include_str!("starter/content/letters/how-this-works.md"),
    ),
    ("subscribers.csv", include_str!("starter/subscribers.csv")),
];
const PICTURE: &[u8] = include_bytes!("starter/content/letters/welcome.png");
const PICTURE_NAME: &str = "content/letters/welcome.png";

#[derive(Serialize)]
struct Made {
    dir: PathBuf,
    files: Vec<&'static str>,
}

/// # Errors
/// When one of the files is already there, or cannot be written.
pub fn run(context: &Context, args: &Init) -> Result<Exit, Failure> {
    let names = TEXTS.iter().map(|(name, _)| *name).chain([PICTURE_NAME]);
    let files: Vec<&str> = names.collect();
    if let Some(there) = files.iter().find(|name| args.dir.join(name).exists()) {
        return Err(Failure::new(
            Exit::Data,
            format!("{} is already there", args.dir.join(there).display()),
        )
        .hint("choose an empty folder; `letterpress new` adds an article to a publication"));
    }
    let write = |name: &str, bytes: &[u8]| {
        let readers = if name.ends_with(".csv") {
            Readers::Owner
        } else {
            Readers::Everybody
        };
        let path = args.dir.join(name);
        files::write_if_changed(&path, bytes, readers)
            .map_err(|error| Failure::of(Exit::Io, &error))
    };
    let now = context.clock.start();
    for (name, text) in TEXTS {
        let day = |back| (now - Days::new(back)).format("%Y-%m-%d").to_string();
        let text = text
            .replace("{yesterday}", &day(1))
            .replace("{day before}", &day(2))
            .replace("{year}", &now.year().to_string());
        write(name, text.as_bytes())?;
    }
    write(PICTURE_NAME, PICTURE)?;
    let made = Made {
        dir: args.dir.clone(),
        files,
    };
    context.talk.data(&made, || {
        made.files
            .iter()
            .map(|name| made.dir.join(name).display().to_string())
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    let place = if made.dir.as_os_str() == "." {
        String::new()
    } else {
        format!("`cd {}`, ", made.dir.display())
    };
    context.talk.say(format!(
        "next: {place}put your own name into letterpress.toml, then `letterpress run` and \
         `letterpress send weekly --dry-run`"
    ));
    Ok(Exit::Done)
}
