//! `serve`: the web part. Readers leave, choose and join; everybody reads what
//! was published.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use clap::Args;
use serde::Serialize;
use tokio::net::TcpListener;

use super::{
    Context,
    doors::{Doors, Handles},
    exit::{Exit, Failure},
    signals::Signals,
    workspace,
};
use crate::{
    config::{self, Config},
    domain::digest::Digest,
    templates::Templates,
    web,
};

/// Answer readers: one-click unsubscribe, their pages, feeds and the website
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress serve
  letterpress serve --listen 127.0.0.1:9000
  letterpress serve --listen 127.0.0.1:0        any free port; the address is printed
  letterpress serve --form weekly > form.html   a form to put into a page of yours

For a proxy that does TLS (docs/serving.md has one for Caddy and one for nginx):
readers reach it at `serve.public_url`. Runs beside `run`, for as long as the
machine does; ends on SIGTERM or Ctrl-C when what is under way is answered. On SIGHUP
letterpress.toml and templates/ are read again; with an error in them nothing changes.

Serves /unsubscribe/TOKEN (one click as in RFC 8058, or a page with a button),
/preferences/TOKEN, /subscribe and /confirm/TOKEN, the files of public/, /healthz, and
/metrics for this machine and private networks; sends the mails that readers wait for
at once. Who leaves has left when the answer comes, also while another command holds
the ledger. Nothing that a link says of its reader is ever written to a log.

Exit codes: 0 ended by a signal; 65 a template has an error; 66 no letterpress.toml; 69
the ledger is held, or its server is away; 74 the address is taken, or the disk; 78
configuration.")]
pub struct Serve {
    /// Listen here instead of `serve.listen`
    #[arg(long, value_name = "ADDR", value_parser = config::parse_listen)]
    listen: Option<SocketAddr>,
    /// Print a form that signs up for this digest (for the first, without a
    /// name), to be put into any page; serve nothing
    #[arg(long, value_name = "DIGEST", num_args = 0..=1, conflicts_with = "listen")]
    form: Option<Option<String>>,
}

/// Where it is, for `--format json`.
#[derive(Serialize)]
struct Open {
    url: String,
}

/// # Errors
/// When settings, templates or the ledger cannot be used, or the address is taken.
pub async fn run(context: &Context, args: &Serve) -> Result<Exit, Failure> {
    let mut signals = Signals::listen();
    // 1. What is served.
    let (config, warnings) = workspace::configuration(context)?;
    for warning in warnings {
        context.talk.say(warning);
    }
    let (templates, problems) = workspace::templates(&config);
    workspace::refuse_errors(context, &problems)?;
    if let Some(digest) = &args.form {
        return form(context, &config, &templates, digest.as_deref());
    }
    let exit = workspace::ledger(context, &config).await?;
    let store = workspace::ledger(context, &config).await?;
    let context = &workspace::in_time(context, &store).await?;
    // 2. Where.
    let address = args.listen.unwrap_or(config.serve.listen);
    let listener = listen(address).await?;
    let address = listener.local_addr();
    let address = address.map_err(|error| Failure::of(Exit::Io, &error))?;
    let open = Open {
        url: format!("http://{address}/"),
    };
    context.talk.data(&open, || open.url.clone())?;
    advise(context, &config, address.ip());
    // 3. Until a signal; on SIGHUP settings and templates are read again.
    let handles = Handles {
        exit,
        store,
        post: workspace::ledger(context, &config).await?,
    };
    let mut doors = Doors::new(context, listener, handles)?;
    doors.open(&config, templates)?;
    doors.keep(config, &mut signals).await?;
    context.talk.say("ended");
    Ok(Exit::Done)
}

/// The form as `--format json` prints it.
#[derive(Serialize)]
struct Snippet {
    html: String,
}

/// Prints a form for a page of the publication's own. What it sends is shown
/// once more on ours, which knows when that was.
fn form(
    context: &Context,
    config: &Config,
    templates: &Templates,
    digest: Option<&str>,
) -> Result<Exit, Failure> {
    let Some(url) = &config.serve.public_url else {
        let failure = Failure::new(Exit::Config, "a form has nowhere to lead");
        return Err(failure.hint("set `serve.public_url` to the https address of the proxy"));
    };
    let digest = chosen(config, digest)?;
    let html = web::snippet(&config.publication, digest, templates, url);
    let snippet = Snippet { html };
    context
        .talk
        .data(&snippet, || snippet.html.trim_end().to_owned())?;
    Ok(Exit::Done)
}

fn chosen<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Digest, Failure> {
    let found = match name {
        Some(name) => config.digest(name),
        None => config.digests.first(),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = config.digests.iter().map(|one| one.name.as_str()).collect();
        let what = match name {
            Some(name) => format!("there is no digest `{name}`"),
            None => "there is no digest to sign up for".to_owned(),
        };
        let hint = match names.is_empty() {
            true => "add a [[digest]] to letterpress.toml".to_owned(),
            false => format!("there are: {}", names.join(", ")),
        };
        Failure::new(Exit::Config, what).hint(hint)
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "is it running already? `--listen` takes another address",
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 are for proxies; see docs/serving.md"
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
            _ => "`--listen` takes another address",
        };
        Failure::of(Exit::Io, &error)
            .within(format!("cannot listen on {address}"))
            .hint(hint)
    })
}

/// What a publisher should know before readers do.
fn advise(context: &Context, config: &Config, address: IpAddr) {
    if config.serve.public_url.is_none() {
        context
            .talk
            .say("no message leads here: set `serve.public_url` to the https address of the proxy");
    }
    if !address.is_loopback() {
        context.talk.must_say(
            "listening beyond this machine without TLS: let a proxy do that, see docs/serving.md",
        );
    }
    if !config.root.join(workspace::PUBLIC).is_dir() {
        context
            .talk
            .say("nothing is published yet: `letterpress build` does it");
    }
}
