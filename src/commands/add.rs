//! `new`: a new article with its front matter, and an id that never changes.

use std::path::PathBuf;

use clap::Args;

use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::Config,
    domain::article::Slug,
    files::{self, Readers},
};

/// Begin a new article
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress new \"Ten things to do with quinces\" --section food
  letterpress new \"A letter from the editor\"

The article is a draft until you take `draft = true` out.")]
pub struct New {
    /// The headline
    title: String,
    /// The section: a folder below content/
    #[arg(long, value_name = "SECTION")]
    section: Option<String>,
}

/// # Errors
/// When the title makes no file name, or the file is already there.
pub fn run(context: &Context, args: &New) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let title = crate::domain::text::one_line(&args.title);
    let slug = slug(&title)?;
    let section = args.section.as_deref().map(slug_of_section).transpose()?;
    let mut file = config.content_dir.clone();
    if let Some(section) = &section {
        file.push(section.as_str());
    }
    file.push(format!("{slug}.md"));
    let path = config.root.join(&file);
    if path.exists() {
        return Err(
            Failure::new(Exit::Data, format!("{} is already there", file.display()))
                .hint("give the article another title, or edit that file"),
        );
    }
    let text = front_matter(&config, context, &title, &slug);
    files::write(&path, text.as_bytes(), Readers::Everybody).map_err(|error| {
        Failure::of(Exit::Io, &error).hint(format!("{} could not be written", path.display()))
    })?;
    let written = Written { file };
    context
        .talk
        .data(&written, || written.file.display().to_string())?;
    Ok(Exit::Done)
}

#[derive(serde::Serialize)]
struct Written {
    file: PathBuf,
}

fn slug(title: &str) -> Result<Slug, Failure> {
    Slug::of(title).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("`{title}` has no letter or digit for a file name"),
        )
        .hint("use a title with Latin letters and set the printed one in the file afterwards")
    })
}

fn slug_of_section(name: &str) -> Result<Slug, Failure> {
    Slug::of(name).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("`{name}` cannot be the name of a section"),
        )
    })
}

fn front_matter(config: &Config, context: &Context, title: &str, slug: &Slug) -> String {
    let now = context
        .clock
        .start()
        .with_timezone(&config.publication.timezone);
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let id = format!(
        "tag:{}:{}/{slug}",
        config.publication.id_authority,
        now.format("%Y-%m-%d")
    );
    let author = config
        .publication
        .authors
        .first()
        .map_or("", |author| author.name.as_str());
    format!(
        "+++\n\
         title = {}\n\
         # Permanent: readers know the article by it, whatever else changes.\n\
         id = {}\n\
         date = {}\n\
         draft = true\n\
         description = \"\"\n\
         authors = [{}]\n\
         tags = []\n\
         \n\
         # [hero]\n\
         # src = \"{slug}.jpg\"\n\
         # alt = \"\"\n\
         # caption = \"\"\n\
         # credit = \"\"\n\
         +++\n\n",
        quoted(title),
        quoted(&id),
        now.format("%Y-%m-%dT%H:%M:%S%:z"),
        quoted(author),
    )
}
