//! `render`: the next issue as files, to look at before anybody gets it; also
//! in other kinds than its own, and the notices that answer readers.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{
    Context, editions,
    exit::{Exit, Failure},
    freezing,
    illustrations::FOLDER,
    notices::Drawing,
    subscribers, workspace,
};
use crate::{
    config::Config,
    domain::{
        choice::Choice,
        digest::Digest,
        issue::IssuePlan,
        problem::{Problem, suggestion},
    },
    files::{self, Readers},
    links::Signer,
    mail::{Notice, Rendered},
    store::Store,
    templates::Templates,
};

/// Write the next issue as issue.html, issue.txt and issue.eml
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress render weekly --out preview
  letterpress --at 2026-12-04T07:00:00+02:00 render weekly --out preview
  letterpress render weekly --kind letter --out preview
  letterpress render weekly --choice sections=food --out preview
  letterpress render weekly --for anna@example.org --out preview
  letterpress render --kind confirm --out preview      writes confirm.html, .txt and .eml
  letterpress render weekly --context                  everything its templates can see

Shows what the next issue would be now, filled for a sample reader. Nothing is
sent, and the ledger stays as it is. The pictures are copied into mail/ beside
issue.html, which shows them from there; in issue.eml they have the addresses
that readers get. `confirm`, `welcome` and `goodbye` answer readers; without
DIGEST they speak of the first one. What the lint finds is told on stderr; an error
among it makes the exit code 65, and the files are there to look at.")]
pub struct Render {
    /// Which digest
    #[arg(required_unless_present = "kind")]
    digest: Option<String>,
    /// The folder for the three files
    #[arg(long, value_name = "DIR", required_unless_present = "context")]
    out: Option<PathBuf>,
    /// Show it as this kind: digest, letter, announcement, one of your own, or
    /// confirm, welcome, goodbye
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// The edition for readers with this choice: `sections=food,home`
    #[arg(long, value_name = "CHOICE", conflicts_with = "context")]
    choice: Option<Choice>,
    /// The edition for this reader's choice
    #[arg(long = "for", value_name = "ADDRESS", conflicts_with_all = ["context", "choice"])]
    reader: Option<String>,
    /// Print what the templates of the digest can see, with the values of the
    /// next issue
    #[arg(long, conflicts_with = "out")]
    context: bool,
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
    let (config, _) = workspace::configuration(context)?;
    let digests = freezing::chosen(&config, args.digest.as_deref())?;
    let digest = digests.first().copied().ok_or_else(|| {
        Failure::new(Exit::Config, "letterpress.toml has no [[digest]]")
            .hint("docs/configuration.md shows one")
    })?;
    let notice = args.kind.as_deref().and_then(Notice::from_name);
    match notice {
        Some(notice) => show_notice(context, &config, digest, notice, args).await,
        None => show_issue(context, &config, digest, args).await,
    }
}

async fn show_issue(
    context: &Context,
    config: &Config,
    digest: &Digest,
    args: &Render,
) -> Result<Exit, Failure> {
    // 1. What the next issue would carry.
    let store = workspace::existing_ledger(context, config).await?;
    let known = workspace::known(config, store.as_ref(), digest).await?;
    let remembered = workspace::remembered(store.as_ref()).await?;
    let loaded = workspace::articles(context, config, &remembered)?;
    let (templates, template_problems) = workspace::templates(config);
    refuse_unknown_kind(args.kind.as_deref(), &templates)?;
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
    // The edition that a reader with this choice would get.
    let choice = wished(config, store.as_ref(), args).await?;
    let found = editions::variants(config, &loaded, &templates, digest, &plan, &choice);
    let (digest, plan) = match found.of_choice.first() {
        None => (digest.clone(), plan),
        Some(Ok(at)) => editions::narrowed(digest, &plan, &found.variants[*at]),
        Some(Err(reason)) => {
            return Err(Failure::new(
                Exit::Data,
                format!("readers with this choice {}", reason.of_readers()),
            )
            .hint("`letterpress plan` shows what the issue carries"));
        }
    };
    let digest = &digest;
    let in_kind = Digest {
        template: args.kind.clone().unwrap_or(digest.template.clone()),
        ..digest.clone()
    };
    let signer = Signer::new(&known.install_key);
    // 2. The list of what its templates see, or
    let Some(out) = &args.out else {
        let seen = freezing::inventory(config, &loaded, &templates, &in_kind, &plan, &signer)?;
        context.talk.data(&seen, || seen.lines())?;
        return Ok(Exit::Done);
    };
    // 3. the rendering, the three files, and the pictures.
    let keys = freezing::signing_keys(config)?;
    let (rendered, illustrations) = freezing::render(
        config,
        &loaded,
        &templates,
        &in_kind,
        &plan,
        &signer,
        keys.as_ref(),
    )?;
    illustrations.tell(context);
    freezing::tell_size(context, rendered.edition.shared_bytes());
    let found = freezing::linted(config, &loaded, digest, &plan, &rendered);
    workspace::tell_problems(context, &found);
    workspace::tell_problems(context, freezing::shortened(&rendered).as_slice());
    // The pictures are nowhere else yet: the file shows those beside it.
    let base_url = &config.publication.base_url;
    let html = illustrations.at(&format!("{FOLDER}/"), &rendered.html, base_url);
    illustrations.write(&out.join(FOLDER), &rendered.html)?;
    let name = format!("issue {}/{}", digest.name, plan.number);
    let exit = report(context, rendered, &html, (out, "issue"), name)?;
    // The files are there to look at all the same.
    Ok(match found.iter().any(Problem::is_error) {
        true => exit.worse(Exit::Data),
        false => exit,
    })
}

/// The choice whose edition is asked for, if any.
async fn wished(
    config: &Config,
    store: Option<&Store>,
    args: &Render,
) -> Result<Option<Choice>, Failure> {
    let Some(address) = &args.reader else {
        return Ok(args.choice.clone());
    };
    let address = subscribers::parse(address)?;
    let store = store.ok_or_else(|| workspace::no_ledger(config))?;
    let reader = store.subscriber(&address).await;
    match reader.map_err(workspace::store_failure)? {
        Some(reader) => Ok(Some(reader.choice)),
        None => Err(subscribers::nobody(&address)),
    }
}

fn refuse_unknown_kind(kind: Option<&str>, templates: &Templates) -> Result<(), Failure> {
    let Some(kind) = kind.filter(|kind| !templates.has_kind(kind)) else {
        return Ok(());
    };
    let mut kinds = templates.kinds();
    kinds.extend(Notice::ALL.map(|notice| notice.name().to_owned()));
    let failure = Failure::new(Exit::Usage, format!("there is no kind `{kind}`"));
    let known = kinds.iter().map(String::as_str);
    Err(failure.hint(match suggestion(kind, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are: {}", kinds.join(", ")),
    }))
}

async fn show_notice(
    context: &Context,
    config: &Config,
    digest: &Digest,
    notice: Notice,
    args: &Render,
) -> Result<Exit, Failure> {
    let Some(out) = &args.out else {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` is not made of an issue", notice.name()),
        )
        .hint("docs/templates.md lists what notices see; `--context` needs a digest"));
    };
    let store = workspace::existing_ledger(context, config).await?;
    let known = workspace::known(config, store.as_ref(), digest).await?;
    let (templates, problems) = workspace::templates(config);
    workspace::tell_problems(context, &problems);
    let keys = freezing::signing_keys(config)?;
    let drawing = Drawing {
        language: None,
        config,
        templates: &templates,
        signer: &Signer::new(&known.install_key),
        keys: keys.as_ref(),
        now: context.clock.start(),
    };
    let (rendered, illustrations) = drawing.draw(notice, digest)?;
    let base_url = &config.publication.base_url;
    let html = illustrations.at(&format!("{FOLDER}/"), &rendered.html, base_url);
    illustrations.write(&out.join(FOLDER), &rendered.html)?;
    let name = notice.name();
    report(context, rendered, &html, (out, name), name.to_owned())
}

/// Writes the three files and says what they are.
fn report(
    context: &Context,
    rendered: Rendered,
    html: &str,
    (out, stem): (&Path, &str),
    what: String,
) -> Result<Exit, Failure> {
    let mut written = Vec::new();
    for (end, bytes) in [
        ("html", html.as_bytes()),
        ("txt", rendered.text.as_bytes()),
        ("eml", rendered.eml.as_slice()),
    ] {
        let path = out.join(format!("{stem}.{end}"));
        files::write_if_changed(&path, bytes, Readers::Everybody)
            .map_err(|error| Failure::of(Exit::Io, &error))?;
        written.push(path);
    }
    let report = Files {
        issue: what.trim_start_matches("issue ").to_owned(),
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
        "{what}: {} ({} bytes of HTML)",
        report.subject, report.html_bytes
    ));
    Ok(Exit::Done)
}
