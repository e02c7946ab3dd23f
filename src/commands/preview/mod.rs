//! `preview`: a local page that shows what readers would get, and what is wrong
//! with it, and that follows every save.

mod frames;

mod posting;
mod press;
mod proof;
mod reader;
mod routes;
mod site;
mod ui;
mod views;
mod watch;

use std::{
    io,
    path::{self, Path},
    sync::Arc,
};

use clap::Args;
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch as channel};

use self::{proof::Proof, watch::Watch};
use super::{
    Context,
    exit::{Exit, Failure},
    signals::Signals,
    talk::count,
    workspace,
};
use crate::web;

/// Show feeds, articles and the next issue in a browser; reload on save
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress preview
  letterpress preview --port 8080
  letterpress preview --port 0                  any free port; the address is printed
  letterpress --at 2026-12-24T08:00:00+02:00 preview      as if it were Christmas Eve

Prints the address and shows there: what is wrong, by file and line; every article,
drafts and future ones included, as a feed reader shows it and as its page; every
feed, also as source, at an address that a feed reader can subscribe to; the
website, as `build` would write it; the next issue of each digest as HTML (desktop,
phone, light, dark), as text and as source, and why each article is in or out.
Saving an article, template or letterpress.toml reloads open pages; a mistake is
shown and waits to be mended.

Writes nothing: not public/, not the ledger; the only mail is a test that you ask
for on the page of an issue, sent as by `send --test`. Only this machine can connect,
and pages load nothing from other machines. Ctrl-C ends it.

Exit codes: 0 ended by Ctrl-C or SIGTERM; 66 no letterpress.toml or no content; 74 the
port is taken; 78 configuration.")]
pub struct Preview {
    /// The port on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 1440)]
    port: u16,
}

/// Where the preview is, for `--format json`.
#[derive(Serialize)]
struct Open {
    url: String,
}

/// # Errors
/// When the publication cannot be read at all, or the port is taken.
pub async fn run(context: &Context, args: &Preview) -> Result<Exit, Failure> {
    let mut signals = Signals::listen();
    // 1. The publication as it is now; what is saved from here on is noticed.
    let file = workspace::config_file(context)?;
    // The preview stays with its publication.
    let file = path::absolute(file).map_err(|error| Failure::of(Exit::NoInput, &error))?;
    let read = workspace::configuration_in(context, &file)?;
    let mut watch = Watch::start();
    watch.follow(&read.0, &file);
    let series = context.clock.machine_time().timestamp_millis();
    let first = Proof::first(context, read, series).await?;
    // 2. A place to be looked at.
    let listener = listen(args.port).await?;
    let address = listener.local_addr();
    let address = address.map_err(|error| Failure::of(Exit::Io, &error))?;
    let open = Open {
        url: format!("http://{address}{}", routes::HOME),
    };
    context.talk.data(&open, || open.url.clone())?;
    tell(context, &first, "showing");
    context
        .talk
        .say("saving a file reloads open pages; Ctrl-C ends");
    // 3. Answer and follow every save, until a signal.
    show(context, first, listener, watch, &file, &mut signals).await;
    Ok(Exit::Done)
}

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    web::listen(port).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another preview may be running; `--port 0` takes any free port"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 are reserved; take a higher one",
            _ => "`--port 0` takes any free port",
        };
        let failure = Failure::of(Exit::Io, &error);
        failure
            .within(format!("cannot listen on 127.0.0.1:{port}"))
            .hint(hint)
    })
}

async fn show(
    context: &Context,
    first: Proof,
    listener: TcpListener,
    mut watch: Watch,
    file: &Path,
    signals: &mut Signals,
) {
    let (versions, new_versions) = channel::channel(first.version());
    let (proofs, newest) = channel::channel(Arc::new(first));
    let (stop, mut stopped) = channel::channel(());
    let speaker = context.clone();
    let site: Arc<web::Site> = Arc::new(move |asked| {
        let proof = Arc::clone(&newest.borrow());
        match asked.form {
            Some(_) => posting::answer(&speaker, &proof, asked),
            None => routes::answer(&proof, asked),
        }
    });
    let serving = tokio::spawn(web::serve(listener, site, new_versions, async move {
        // Also when this function is given up.
        let _ = stopped.changed().await;
    }));
    loop {
        tokio::select! {
            () = signals.next() => break,
            () = watch.changed() => {}
        }
        let before = Arc::clone(&proofs.borrow());
        // A signal need not wait for articles to be read.
        let next = tokio::select! {
            () = signals.next() => break,
            next = Proof::next(context, file, &before) => next,
        };
        watch.follow(&next.press.config, file);
        tell(context, &next, "read again");
        let version = next.version();
        proofs.send_replace(Arc::new(next));
        versions.send_replace(version);
    }
    drop(stop);
    // A server that panicked has nothing left to end.
    let _ = serving.await;
}

fn tell(context: &Context, proof: &Proof, verb: &str) {
    let loaded = &proof.press.loaded;
    let errors = proof.errors();
    context.talk.say(format!(
        "{verb} in {} ms: {}, {} held back; {}, {}",
        proof.took.as_millis(),
        count(loaded.collection.articles().len(), "article"),
        loaded.collection.held_back().len(),
        count(errors, "error"),
        count(proof.problems.len() - errors, "warning"),
    ));
}
