//! `bounces`: what came back. Bounces, complaints, and readers who leave by
//! mail, each proven by a token of ours.

mod certificates;
mod hooks;
mod reading;
mod server;
mod source;
mod told;

use clap::{Args, Subcommand};

pub use self::{hooks::hooks, told::Summary};
use self::{reading::Reading, source::Mailbox};
use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{Config, parse_source, settings::BounceSource},
    store::Store,
};

/// Apply what came back: bounces, complaints, readers who leave by mail
#[derive(Debug, Args)]
pub struct Bounces {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Read(Read),
}

/// Read the mailbox to which bounces come, and apply what they say
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress bounces read                                 the mailbox of `bounces.source`
  letterpress bounces read maildir:/var/mail/bounces
  letterpress bounces read mbox:/var/mail/bounces
  letterpress bounces read imaps://bounces@mail.example.org/INBOX
  letterpress bounces read - < report.eml                  one mail

In /etc/aliases, for the address before the `+`:
  bounce: \"|letterpress --config /srv/magazine/letterpress.toml bounces read -\"

A report counts only when it carries the token of a message that left: what else
it says of an address proves nothing. `run` reads the mailbox of `bounces.source`
by itself. docs/bounces.md tells how to set one up.

Exit codes: 0 done; 4 an issue was paused, because too much of it came back; 66
there is no such mailbox; 74 it cannot be read; 75 it is locked, or its server is
away; 76 it breaks the protocol; 77 login or TLS; 78 none is named. With `-` it is
0 or 75, so that a mail server keeps what could not be applied.")]
pub struct Read {
    /// Where to read, instead of `bounces.source`; `-` is one mail on standard input
    source: Option<String>,
}

/// # Errors
/// When the mailbox cannot be read, or the ledger not be written.
pub async fn run(context: &Context, args: &Bounces) -> Result<Exit, Failure> {
    let What::Read(read) = &args.what;
    if read.source.as_deref() != Some("-") {
        return from_mailbox(context, read).await;
    }
    let done = from_pipe(context).await;
    done.map_err(|mut failure| {
        // For any other code a mail server gives the mail up, or sends it back.
        failure.exit = Exit::Temporary;
        failure
    })
}

async fn from_pipe(context: &Context) -> Result<Exit, Failure> {
    // 1. The whole mail first: whoever writes it must not wait for the ledger.
    let mailbox = Mailbox::pipe()?;
    // 2. Apply and tell; an issue that is paused by it is no trouble of the mail.
    let (config, _) = workspace::configuration(context)?;
    let store = ledger(context, &config).await?;
    let summary = read_all(context, &config, &store, mailbox, u64::MAX).await?;
    summary.tell(context)?;
    Ok(Exit::Done)
}

async fn from_mailbox(context: &Context, args: &Read) -> Result<Exit, Failure> {
    let (config, _) = workspace::configuration(context)?;
    let named = args.source.as_deref().map(|text| {
        parse_source(text, &std::env::current_dir().unwrap_or_default()).map_err(|why| {
            Failure::new(Exit::Usage, why).hint("`letterpress bounces read --help` has examples")
        })
    });
    let source = match named {
        Some(source) => with_secrets(source?, &config),
        None => config.bounces.clone().ok_or_else(no_source)?,
    };
    let store = ledger(context, &config).await?;
    let mailbox = Mailbox::open(&source, &store).await?;
    let summary = read_all(context, &config, &store, mailbox, u64::MAX).await?;
    summary.tell(context)?;
    Ok(summary.exit())
}

/// A server that is named on the command line is logged in to with the files of
/// the configuration.
fn with_secrets(mut source: BounceSource, config: &Config) -> BounceSource {
    if let (BounceSource::Imap(named), Some(BounceSource::Imap(known))) =
        (&mut source, &config.bounces)
    {
        named.password_file.clone_from(&known.password_file);
        named.tls_ca_file.clone_from(&known.tls_ca_file);
    }
    source
}

fn no_source() -> Failure {
    Failure::new(Exit::Config, "no mailbox is named to which bounces come").hint(
        "set `bounces.source`, or name it: `letterpress bounces read maildir:/var/mail/bounces`",
    )
}

/// Nothing can have come back where nothing ever left.
async fn ledger(context: &Context, config: &Config) -> Result<Store, Failure> {
    if !config.store.may_exist() {
        return Err(workspace::no_ledger(config));
    }
    workspace::ledger(context, config).await
}

/// So many mails are read by one `run`: a flood of them must not hold up its
/// readers.
const MOST_OF_A_RUN: u64 = 20_000;

/// Reads the mailbox of the configuration, as a step of `run`.
///
/// # Errors
/// When the mailbox cannot be read, or the ledger not be written.
pub async fn in_run(
    context: &Context,
    config: &Config,
    store: &Store,
) -> Result<Option<Summary>, Failure> {
    let Some(source) = &config.bounces else {
        return Ok(None);
    };
    let mailbox = Mailbox::open(source, store).await?;
    let summary = read_all(context, config, store, mailbox, MOST_OF_A_RUN).await?;
    summary.say(context);
    Ok(Some(summary))
}

async fn read_all(
    context: &Context,
    config: &Config,
    store: &Store,
    mut mailbox: Mailbox,
    most: u64,
) -> Result<Summary, Failure> {
    let reading = Reading {
        context,
        config,
        store,
    };
    let mut summary = Summary::of(&mailbox.name);
    let read = reading.all(&mut mailbox, most, &mut summary).await;
    if let Err(failure) = read {
        summary.say(context);
        return Err(failure);
    }
    Ok(summary)
}
