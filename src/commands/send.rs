//! `send`: the next issue of a digest now, whatever the schedule says; or only
//! a rendering of it to test addresses.

use std::{path::Path, time::Duration};

use clap::Args;
use serde::Serialize;

use super::{
    Context,
    build::{self, Checked},
    deliver::{self, Delivering},
    doubt, editions, ending,
    exit::{Exit, Failure},
    freezing::{self, Freezing},
    linting,
    publisher::Destination,
    right::{self, Right, Turn},
    subscribers,
    talk::count,
    turn,
    workspace::{self, Known},
};
use crate::{
    config::{
        Config,
        settings::{MailSettings, Relay},
    },
    content::Loaded,
    domain::{
        address::{AddressError, EmailAddress},
        delivery::OnUncertain,
        digest::Digest,
        issue::IssuePlan,
        schedule::Due,
        subscriber::SubscriberId,
    },
    files::{self, Readers},
    links::Signer,
    mail::{
        Addressed, Composer, Message, Rendered,
        smtp::{Dialer, Envelope, Trouble},
    },
    outbox,
    store::{ChoiceId, Scope, Store},
    templates::Templates,
};

/// Freeze the next issue now and deliver it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress send weekly --dry-run                     what would happen
  letterpress send weekly --test editor@example.org     only to that address
  letterpress send weekly                               to everybody, now

`--test` may be given several times; the ledger stays as it is, and the same
articles still go out in the next issue.

Exit codes are those of `run`, but for 75 while another run is at work: nothing was
sent.")]
pub struct Send {
    /// Which digest
    digest: String,
    /// Mail the rendering to this address only
    #[arg(long, value_name = "ADDRESS")]
    test: Vec<String>,
    /// Render and count, but freeze and send nothing
    #[arg(long, conflicts_with = "test")]
    dry_run: bool,
    /// What becomes of uncertain deliveries, instead of `on_uncertain`
    #[arg(long, value_name = "POLICY")]
    on_uncertain: Option<OnUncertain>,
    /// How long a stopped run waits for the messages under way
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = humantime::parse_duration)]
    grace: Duration,
}

#[derive(Serialize)]
struct DryRun {
    issue: String,
    subject: String,
    readers: u64,
    articles: Vec<String>,
    html_bytes: usize,
    text_bytes: usize,
}

/// # Errors
/// When the issue cannot be made or the ledger cannot be used.
pub async fn run(context: &Context, args: &Send) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let digest = freezing::chosen(&config, Some(&args.digest))?[0];
    let mut tests = Vec::new();
    for raw in &args.test {
        tests.push(
            EmailAddress::international(raw)
                .map_err(|error| Failure::new(Exit::Usage, format!("`--test`: {error}")))?,
        );
    }
    if args.dry_run || !tests.is_empty() {
        return without_ledger(context, &config, digest, &tests).await;
    }
    sending(context, args, &config, digest)
        .await
        .map_err(Failure::before_sending)
}

async fn sending(
    context: &Context,
    args: &Send,
    config: &Config,
    digest: &Digest,
) -> Result<Exit, Failure> {
    // 1. The right to send.
    let mut right = match right::take(context, config, None).await? {
        Turn::Taken(right) => right,
        Turn::Busy(_) => return Ok(Exit::Temporary),
    };
    let store = workspace::ledger(context, config).await?;
    let context = &workspace::in_time(context, &store).await?;
    let number = turn::begin(context, config, &store).await?;
    // 2. The steps, and how they ended, for the ledger and the caller.
    let delivering = Delivering {
        config,
        store: &store,
        number,
        scope: Scope::Everything,
        relay: None,
        grace: args.grace,
    };
    let result = steps(context, &delivering, digest, args.on_uncertain, &mut right).await;
    let summary = |_| format!("send {}", digest.name);
    turn::close(context, &store, number, result, summary).await
}

async fn steps(
    context: &Context,
    delivering: &Delivering<'_>,
    digest: &Digest,
    on_uncertain: Option<OnUncertain>,
    right: &mut Right,
) -> Result<Exit, Failure> {
    let Delivering { config, store, .. } = *delivering;
    // 1. What an earlier run left behind.
    doubt::recover(context, config, store, on_uncertain).await?;
    subscribers::seed(context, config, store).await?;
    // 2. The issue, frozen.
    let checked = build::load(context, config, store, None).await?;
    if !freeze(context, config, store, digest, &checked).await? {
        return ending::uncertain_held(context, store).await;
    }
    // 3. What the letter leads to is there before the letter is; but what is
    //    frozen goes out also when public/ cannot be written.
    let mut exit = Exit::Done;
    if config.content.pages
        && let Err(failure) = publish(context, config, store, &checked).await
    {
        context.talk.must_say(&failure);
        exit = failure.exit;
    }
    // 4. Delivered like any other.
    Ok(exit.worse(deliver::all(context, delivering, right, |_| ()).await?))
}

/// Freezes the next issue; false when there is nothing for it to carry.
async fn freeze(
    context: &Context,
    config: &Config,
    store: &Store,
    digest: &Digest,
    checked: &Checked,
) -> Result<bool, Failure> {
    let Checked {
        loaded, templates, ..
    } = checked;
    let history = store
        .history(&digest.name)
        .await
        .map_err(workspace::store_failure)?;
    let now = context.clock.start();
    let plan = IssuePlan::make(digest, &loaded.collection, &history, None, now);
    if plan.articles.is_empty() {
        context.talk.must_say(format!(
            "nothing to send: no article is new to `{0}`; `letterpress plan {0}` says why",
            digest.name
        ));
        return Ok(false);
    }
    let freezing = Freezing {
        config,
        store,
        loaded,
        templates,
        digest,
    };
    // Whoever sends by hand has looked: no number of articles holds it back.
    let frozen = freezing::freeze(
        &freezing,
        &plan,
        plan.manual_occasion(),
        Due::default(),
        None,
    )
    .await?;
    if let Some(issue) = &frozen {
        freezing::tell_frozen(context, issue);
    }
    Ok(true)
}

async fn publish(
    context: &Context,
    config: &Config,
    store: &Store,
    checked: &Checked,
) -> Result<(), Failure> {
    let destination = Destination::take(context, config, None, false).await?;
    let built = build::publish(context, config, store, checked, destination).await?;
    if !built.is_empty() {
        context.talk.say(format!("built: {}", built.summary()));
    }
    Ok(())
}

/// Mails the next issue to test addresses; the ledger stays as it is.
///
/// # Errors
/// When the issue cannot be made, or a test was not taken.
pub async fn test(
    context: &Context,
    config: &Config,
    digest: &Digest,
    addresses: &[EmailAddress],
) -> Result<Exit, Failure> {
    without_ledger(context, config, digest, addresses).await
}

/// `--dry-run` and `--test`: the ledger is read and not written.
async fn without_ledger(
    context: &Context,
    config: &Config,
    digest: &Digest,
    tests: &[EmailAddress],
) -> Result<Exit, Failure> {
    let store = workspace::existing_ledger(context, config).await?;
    let known = workspace::known(config, store.as_ref(), digest).await?;
    let remembered = workspace::remembered(store.as_ref()).await?;
    let now = context.clock.start();
    let reached = match &store {
        Some(store) if tests.is_empty() && known.has_readers => {
            Some(store.reached(now).await.map_err(workspace::store_failure)?)
        }
        _ => None,
    };
    drop(store);
    let loaded = workspace::articles(context, config, &remembered)?;
    let (templates, problems) = workspace::templates(config);
    workspace::refuse_errors(context, &loaded.problems)?;
    workspace::refuse_errors(context, &problems)?;
    let plan = IssuePlan::make(digest, &loaded.collection, &known.history, None, now);
    if plan.articles.is_empty() {
        return Err(workspace::nothing_new(digest));
    }
    let signer = Signer::new(&known.install_key);
    let keys = freezing::signing_keys(config)?;
    let keys = keys.as_ref();
    let (rendered, illustrations) =
        freezing::render(config, &loaded, &templates, digest, &plan, &signer, keys)?;
    illustrations.tell(context);
    freezing::tell_size(context, rendered.edition.shared_bytes());
    let found = freezing::linted(config, &loaded, digest, &plan, &rendered);
    if tests.is_empty() {
        linting::refuse(&format!("{}/{}", digest.name, plan.number), &found)?;
        workspace::tell_problems(context, &found);
        let readers = readers(
            config,
            (&loaded, &templates),
            digest,
            &plan,
            &known,
            reached.as_deref(),
        );
        tell_dry_run(context, digest, &plan, &rendered, readers)?;
        return Ok(Exit::Done);
    }
    // Whoever gets a test may look at what is wrong; readers do not get it.
    workspace::tell_problems(context, &found);
    // Whoever gets the test wants to see them.
    illustrations.publish(config, &rendered.html)?;
    let settings = freezing::mail_settings(config)?;
    let composer = Composer::new(rendered.edition, keys)
        .map_err(|error| Failure::of(Exit::Internal, &error))?;
    for (number, address) in tests.iter().enumerate() {
        // A delivery no ledger has, and a reader nobody is.
        let to = Addressed {
            issue: 0,
            delivery: -now.timestamp() - i64::try_from(number).unwrap_or_default(),
            issue_number: plan.number,
            subscriber: SubscriberId([0; 16]),
            address,
            name: None,
        };
        let message = composer
            .message(&to, &signer)
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
        let from = composer.envelope_from(to.delivery, &signer);
        hand_over(&settings, digest, number, (&from, address), &message).await?;
        context.talk.say(format!(
            "test of issue {} sent to {}",
            plan.number,
            address.expose()
        ));
    }
    Ok(Exit::Done)
}

/// How many the issue would go to now: those whose choice comes to an edition of
/// it, and who neither pause nor must not be written to. Before the first run,
/// those whom that will bring.
fn readers(
    config: &Config,
    (loaded, templates): (&Loaded, &Templates),
    digest: &Digest,
    plan: &IssuePlan<'_>,
    known: &Known,
    reached: Option<&[(ChoiceId, u64)]>,
) -> u64 {
    let Some(reached) = reached else {
        return known.readers;
    };
    let choices = known.chosen.iter().map(|chosen| &chosen.choice);
    let found = editions::variants(config, loaded, templates, digest, plan, choices);
    let served = known.chosen.iter().zip(found.of_choice);
    let served = served.filter(|(_, edition)| edition.is_ok());
    let served: Vec<ChoiceId> = served.map(|(chosen, _)| chosen.id).collect();
    let reached = reached.iter().filter(|(choice, _)| served.contains(choice));
    reached.map(|(_, readers)| readers).sum()
}

fn tell_dry_run(
    context: &Context,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    rendered: &Rendered,
    readers: u64,
) -> Result<(), Failure> {
    let report = DryRun {
        issue: format!("{}/{}", digest.name, plan.number),
        subject: rendered.subject.clone(),
        readers,
        articles: plan.articles.iter().map(|a| a.title.clone()).collect(),
        html_bytes: rendered.edition.html_bytes(),
        text_bytes: rendered.edition.text_bytes(),
    };
    context.talk.data(&report, || {
        format!(
            "would freeze issue {} and send it to {}\nsubject: {}\n{}\n{} bytes of HTML, {} of text",
            report.issue,
            count(report.readers, "reader"),
            report.subject,
            report
                .articles
                .iter()
                .map(|title| format!("  {title}"))
                .collect::<Vec<_>>()
                .join("\n"),
            report.html_bytes,
            report.text_bytes
        )
    })
}

async fn hand_over(
    settings: &MailSettings,
    digest: &Digest,
    number: usize,
    (from, address): (&Result<EmailAddress, AddressError>, &EmailAddress),
    message: &Message,
) -> Result<(), Failure> {
    // Never none; a test goes through the first.
    let Some(first) = settings.relays.first() else {
        return Ok(());
    };
    match &first.relay {
        Relay::Folder(folder) => {
            let name = format!("test-{}-{}.eml", digest.name, number + 1);
            to_folder(folder, &name, message)
        }
        Relay::Smtp(relay) => {
            let from = from
                .as_ref()
                .map_err(|error| Failure::of(Exit::Config, error))?;
            let dialer = Dialer::new(relay.clone(), &settings.hello_name, settings.timeouts)
                .map_err(|error| Failure::of(Exit::Config, &error))?;
            let failed = |trouble: Trouble| {
                Failure::of(ending::exit_for(outbox::why(&trouble)), &trouble).hint(format!(
                    "the test to {} was not delivered",
                    address.expose()
                ))
            };
            let mut session = dialer.open().await.map_err(failed)?;
            let envelope = Envelope::new(from, address).map_err(failed)?;
            session.open(&envelope).await.map_err(failed)?;
            session
                .text(message.pieces(), message.size())
                .await
                .map_err(failed)?;
            session.end(None).await.map_err(failed)?;
            session.quit().await;
            Ok(())
        }
    }
}

fn to_folder(folder: &Path, name: &str, message: &Message) -> Result<(), Failure> {
    files::write(&folder.join(name), &message.to_bytes(), Readers::Owner)
        .map_err(|error| Failure::of(Exit::Io, &error))
}
