//! `subscribers`: the list. A status only ever moves toward less mail.

mod choosing;
mod columns;
mod export;
mod forgetting;
mod import;
mod lists;
mod segment;
pub(super) mod stats;

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

pub use self::import::{active_in_seed, seed};
use self::segment::Segment;
use super::{
    Context,
    exit::{Exit, Failure},
    talk::{Format, count},
    why, workspace,
};
use crate::{
    config::Config,
    domain::{
        address::{AddressError, EmailAddress},
        choice::Choice,
        subscriber::{AddOutcome, NewSubscriber, Status, Subscriber},
        text::{cut, one_line},
    },
    store::Store,
};

/// Add, list, show, import, export, unsubscribe, suppress or erase readers
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress subscribers add anna@example.org --name \"Anna Nkosi\"
  letterpress subscribers import readers.csv --dry-run
  letterpress subscribers list --status active --section food
  letterpress subscribers export --out readers.csv
  letterpress subscribers export --of anna@example.org      all that is known of her
  letterpress subscribers stats
  letterpress subscribers choose anna@example.org \"sections=food,home; content=summary\"
  letterpress subscribers unsubscribe anna@example.org
  letterpress subscribers erase anna@example.org

Nobody who left, bounced or complained is ever brought back by `add` or `import`.

A choice is written `digests=NAMES; sections=NAMES; tags=NAMES; language=TAG;
content=full|summary`,
any of these, or `everything`. A reader gets the articles that are in one of the
sections or have one of the tags.")]
pub struct Subscribers {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add one reader
    Add {
        /// The address
        address: String,
        /// What to call them
        #[arg(long)]
        name: Option<String>,
        /// Also take letters beyond ASCII before the `@`; only some relays can
        /// deliver there (SMTPUTF8)
        #[arg(long)]
        international: bool,
        /// What they get, if they are new: `sections=food,home; content=summary`
        #[arg(long, value_name = "CHOICE", default_value_t)]
        choice: Choice,
        /// Whether they have confirmed
        #[arg(long, value_enum, default_value_t = Joining::Active)]
        status: Joining,
    },
    /// The list, or a part of it
    List {
        #[command(flatten)]
        segment: Segment,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Everything known of one reader, with the record of consent
    Show {
        /// The address
        address: String,
    },
    /// Add readers from a CSV or JSON file, as other programs export it
    #[command(after_help = import::HELP)]
    Import(import::Import),
    /// Print or write the list, the record of consent, or what is known of one reader
    Export(export::Export),
    /// How the list grows, and what came back of each issue
    Stats(stats::Stats),
    /// Set what a reader gets from the next issue on
    Choose {
        /// The address
        address: String,
        /// Such as `sections=food,home; tags=soup`, or `everything`
        choice: Choice,
    },
    /// Take a reader off the list; what is queued for them is cancelled
    Unsubscribe {
        /// The address
        address: String,
    },
    /// Never write to an address again, known or not, whoever imports it or
    /// types it into a form
    Suppress {
        /// The address
        address: String,
    },
    /// Remove everything of a reader from the ledger, but a keyed hash that keeps
    /// imports from bringing them back
    Erase {
        /// The address
        address: String,
    },
}

/// The statuses a reader can join with.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Joining {
    /// Confirmed; gets issues.
    Active,
    /// Not confirmed yet; gets none.
    Pending,
}

impl From<Joining> for Status {
    fn from(joining: Joining) -> Self {
        match joining {
            Joining::Active => Self::Active,
            Joining::Pending => Self::Pending,
        }
    }
}

/// # Errors
/// When an address is none, or the ledger cannot be used.
pub async fn run(context: &Context, args: &Subscribers) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    match &args.what {
        What::Add {
            address,
            name,
            international,
            choice,
            status,
        } => {
            choosing::refuse_unknown(context, &config, [choice]).await?;
            let reader = NewSubscriber {
                address: wanted(address, *international)?,
                name: name
                    .as_deref()
                    .map(|name| cut(&one_line(name), 100))
                    .filter(|name| !name.is_empty()),
                status: (*status).into(),
                choice: choice.clone(),
            };
            add(context, &config, reader).await
        }
        What::List { segment, limit } => list(context, &config, segment, *limit).await,
        What::Show { address } => {
            let address = parse(address)?;
            why::show(context, &config, &address, None).await
        }
        What::Import(args) => import::run(context, &config, args).await,
        What::Export(args) => export::run(context, &config, args).await,
        What::Choose { address, choice } => {
            let address = parse(address)?;
            choosing::run(context, &config, &address, choice.clone()).await
        }
        What::Unsubscribe { address } => {
            let address = parse(address)?;
            unsubscribe(context, &config, &address).await
        }
        What::Stats(args) => stats::run(context, &config, args).await,
        What::Suppress { address } => {
            forgetting::suppress(context, &config, &parse(address)?).await
        }
        What::Erase { address } => forgetting::erase(context, &config, &parse(address)?).await,
    }
}

/// The address of somebody who may be on the list, from the command line.
///
/// # Errors
/// Exit 65 with what is wrong with it.
pub fn parse(raw: &str) -> Result<EmailAddress, Failure> {
    EmailAddress::international(raw).map_err(|error| no_address(raw, &error))
}

/// An address for the list.
fn wanted(raw: &str, is_international: bool) -> Result<EmailAddress, Failure> {
    let address = if is_international {
        EmailAddress::international(raw)
    } else {
        raw.parse()
    };
    address.map_err(|error| no_address(raw, &error))
}

fn no_address(raw: &str, error: &AddressError) -> Failure {
    Failure::of(Exit::Data, error).hint(match error {
        AddressError::International => INTERNATIONAL.to_owned(),
        _ => format!("got `{}`", cut(&one_line(raw), 80)),
    })
}

/// The failure of commands about a reader who is not there.
#[must_use]
pub fn nobody(address: &EmailAddress) -> Failure {
    Failure::new(
        Exit::NoInput,
        format!("{} is not on the list", address.expose()),
    )
}

/// What to do about letters that many relays do not carry.
const INTERNATIONAL: &str = "if your relay offers SMTPUTF8, `--international` takes such addresses";

async fn add(context: &Context, config: &Config, reader: NewSubscriber) -> Result<Exit, Failure> {
    let has_choice = reader.choice != Choice::default();
    let store = workspace::ledger(context, config).await?;
    let outcomes = store
        .add(vec![reader], "command line", context.clock.now(), false)
        .await
        .map_err(workspace::store_failure)?;
    let outcome = outcomes.first().copied().unwrap_or(AddOutcome::Unchanged);
    match outcome {
        AddOutcome::Added => context.talk.say("added"),
        AddOutcome::Unchanged if has_choice => context.talk.must_say(
            "already on the list; `letterpress subscribers choose` changes what they get",
        ),
        AddOutcome::Unchanged => context.talk.say("already on the list"),
        AddOutcome::Lessened => context.talk.say("already on the list; gets less mail now"),
        AddOutcome::Kept(status) => {
            context.talk.must_say(format!(
                "stays {status}: only the reader can ask for more mail again"
            ));
            return Ok(Exit::Data);
        }
        AddOutcome::Suppressed => {
            context
                .talk
                .must_say("stays suppressed: this address must not be written to");
            return Ok(Exit::Data);
        }
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Row<'a> {
    email: &'a str,
    name: Option<&'a str>,
    status: Status,
    source: &'a str,
    choice: String,
    created: chrono::DateTime<chrono::Utc>,
}

impl<'a> Row<'a> {
    fn of(reader: &'a Subscriber) -> Self {
        Self {
            email: reader.address.expose(),
            name: reader.name.as_deref(),
            status: reader.status,
            source: &reader.source,
            choice: reader.choice.in_words(),
            created: reader.created,
        }
    }
}

/// Rows are read in pages, so that a long list needs no more memory than a short one.
const PAGE: usize = 1000;

async fn each_reader(
    config: &Config,
    store: &Store,
    segment: &Segment,
    limit: Option<usize>,
    mut with: impl FnMut(&Subscriber) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut after = None;
    let mut seen = 0;
    loop {
        let page = store
            .subscribers(segment.status, after, PAGE)
            .await
            .map_err(workspace::store_failure)?;
        for reader in &page.subscribers {
            if limit.is_some_and(|limit| seen >= limit) {
                return Ok(seen);
            }
            if segment.has(reader, config) {
                with(reader)?;
                seen += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(seen),
        }
    }
}

async fn list(
    context: &Context,
    config: &Config,
    segment: &Segment,
    limit: Option<usize>,
) -> Result<Exit, Failure> {
    let talk = context.talk;
    let Some(store) = workspace::existing_ledger(context, config).await? else {
        talk.say("nobody is on the list yet");
        return Ok(Exit::Done);
    };
    let seen = each_reader(config, &store, segment, limit, |reader| match talk.format {
        Format::Json => talk.json_line(&Row::of(reader)),
        Format::Human => {
            let name = reader.name.as_deref().unwrap_or("");
            talk.print(&format!(
                "{:<12}  {}  {name}",
                reader.status.as_str(),
                reader.address.expose()
            ))
        }
    })
    .await?;
    talk.say(count(seen, "reader"));
    Ok(Exit::Done)
}

async fn unsubscribe(
    context: &Context,
    config: &Config,
    address: &EmailAddress,
) -> Result<Exit, Failure> {
    let store = workspace::ledger(context, config).await?;
    let outcome = store
        .unsubscribe(address, "command line", context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    let Some(was) = outcome.was else {
        return Err(nobody(address));
    };
    let mut line = match was {
        Status::Active | Status::Pending => "unsubscribed".to_owned(),
        other => format!("was {other} already"),
    };
    if outcome.is_noted {
        line.push_str(
            "; noted beside the ledger, which is busy: it holds before the next message leaves",
        );
    }
    if outcome.cancelled_deliveries > 0 {
        line.push_str(&format!(
            "; {} cancelled",
            count(outcome.cancelled_deliveries, "queued delivery")
        ));
    }
    context.talk.say(line);
    Ok(Exit::Done)
}

/// A file, or standard input or output for `-`.
fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}
