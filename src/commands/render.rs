//! `render`: the next issue as files, to look at before anybody gets it.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    freezing,
    illustrations::FOLDER,
    workspace,
};
use crate::{
    domain::issue::IssuePlan,
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
sent, and the ledger stays as it is. The pictures are copied into mail/ beside
issue.html, which shows them from there; in issue.eml they have the addresses
that readers get.")]
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

/// # Errors
/// When there is nothing to render or a template fails.
pub async fn run(context: &Context, args: &Render) -> Result<Exit, Failure> {
    // 1. What the next issue would carry.
    let (config, _) = workspace::configuration(context)?;
    let digest = freezing::chosen(&config, Some(&args.digest))?[0];
    let store = workspace::existing_ledger(context, &config).await?;
    let known = workspace::known(&config, store.as_ref(), digest).await?;
    let remembered = workspace::remembered(store.as_ref()).await?;
    let loaded = workspace::articles(context, &config, &remembered)?;
    let (templates, template_problems) = workspace::templates(&config);
    let now = context.clock.start();
    let due = digest
        .schedule
        .due(known.history.cursor, now, digest.max_late);
    let plan = IssuePlan::make(digest, &loaded.collection, &known.history, due.slot, now);
    let mut problems = loaded.problems.clone();
    problems.extend(template_problems);
    workspace::tell_problems(context, &problems);
    if plan.articles.is_empty() {
        return Err(workspace::nothing_new(digest));
    }
    // 2. The rendering, the three files, and the pictures.
    let signer = Signer::new(&known.install_key);
    let keys = freezing::signing_keys(&config)?;
    let (rendered, illustrations) = freezing::render(
        &config,
        &loaded,
        &templates,
        digest,
        &plan,
        &signer,
        keys.as_ref(),
    )?;
    illustrations.tell(context);
    freezing::tell_size(context, rendered.edition.shared_bytes());
    // The pictures are nowhere else yet: the file shows those beside it.
    let base_url = &config.publication.base_url;
    let html = illustrations.at(&format!("{FOLDER}/"), &rendered.html, base_url);
    illustrations.write(&args.out.join(FOLDER), &rendered.html)?;
    let mut written = Vec::new();
    for (name, bytes) in [
        ("issue.html", html.as_bytes()),
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
