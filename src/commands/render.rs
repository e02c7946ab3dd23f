//! `render`: the next issue as files, to look at before anybody gets it.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{
    Context, deliver,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    domain::issue::{History, IssuePlan},
    files::{self, Readers},
    links::Signer,
};

/// Write the next issue as issue.html, issue.txt and issue.eml
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress render weekly --out preview
  letterpress --at 2026-12-04T07:00:00+02:00 render weekly --out preview

Shows what the next issue would be now, filled for a sample reader. Nothing is
sent, and the ledger stays as it is.")]
pub struct Render {
    /// Which digest
    digest: String,
    /// The folder for the three files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Files {
    issue: String,
    subject: String,
    html_bytes: usize,
    files: Vec<PathBuf>,
}

/// Stands in for the install key where there is no ledger yet: nothing made
/// with it is ever sent.
const SAMPLE_KEY: [u8; 32] = *b"letterpress sample: never sent..";

/// # Errors
/// When there is nothing to render or a template fails.
pub async fn run(context: &Context, args: &Render) -> Result<Exit, Failure> {
    // 1. What the next issue would carry.
    let (config, _) = workspace::configuration(context)?;
    let digest = deliver::chosen(&config, Some(&args.digest))?[0];
    let store = workspace::existing_ledger(context, &config).await?;
    let (history, remembered, key) = match &store {
        Some(store) => (
            store
                .history(digest.name.as_str())
                .await
                .map_err(workspace::store_failure)?,
            store.remembered().await.map_err(workspace::store_failure)?,
            *store.install_key(),
        ),
        None => (History::default(), Vec::new(), SAMPLE_KEY),
    };
    let loaded = workspace::articles(context, &config, &remembered)?;
    let (templates, template_problems) = workspace::templates(&config);
    let now = context.clock.start();
    let due = digest.schedule.due(history.cursor, now, digest.max_late);
    let plan = IssuePlan::make(digest, &loaded.collection, &history, due.slot, now);
    let mut problems = loaded.problems.clone();
    problems.extend(template_problems);
    for problem in &problems {
        context.talk.say(problem);
    }
    if plan.articles.is_empty() {
        return Err(Failure::new(
            Exit::Data,
            format!("the next issue of `{}` would be empty", digest.name),
        )
        .hint(format!("`letterpress plan {}` says why", digest.name)));
    }
    // 2. The rendering, and the three files.
    let signer = Signer::new(&key);
    let rendered = deliver::render(&config, &loaded, &templates, digest, &plan, &signer)?;
    let mut written = Vec::new();
    for (name, bytes) in [
        ("issue.html", rendered.html.as_bytes()),
        ("issue.txt", rendered.text.as_bytes()),
        ("issue.eml", rendered.eml.as_slice()),
    ] {
        let path = args.out.join(name);
        files::write_if_changed(&path, bytes, Readers::Everybody)
            .map_err(|error| Failure::of(Exit::Io, &error))?;
        written.push(path);
    }
    let report = Files {
        issue: format!("{}/{}", digest.name, plan.number),
        html_bytes: rendered.html.len(),
        subject: rendered.subject,
        files: written,
    };
    context.talk.data(&report, || {
        report
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    context.talk.say(format!(
        "issue {}: {} ({} bytes of HTML)",
        report.issue, report.subject, report.html_bytes
    ));
    Ok(Exit::Done)
}
