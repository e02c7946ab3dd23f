//! The doors of `serve`: opened with the settings as they are, and with those that
//! are read again on SIGHUP before the old ones close.

use std::{io, mem, net};

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{JoinError, JoinSet},
};

use super::{
    Context, bounces,
    exit::{Exit, Failure},
    notices,
    signals::Signals,
    workspace,
};
use crate::{
    config::Config,
    outbox::Stop,
    store::Store,
    templates::{TemplateError, Templates},
    web::{self, Serving},
};

/// Handles to the ledger, so that none of them waits for the others.
pub(super) struct Handles {
    /// For readers who leave.
    pub(super) exit: Store,
    /// For all else that readers do.
    pub(super) store: Store,
    /// For the mails that answer them.
    pub(super) post: Store,
}

/// What answers readers.
pub(super) struct Doors<'a> {
    context: &'a Context,
    listener: net::TcpListener,
    handles: Handles,
    /// Those that are open, and older ones that are closing.
    open: JoinSet<Result<(), TemplateError>>,
    /// Closes those that are open.
    close: watch::Sender<bool>,
}

impl<'a> Doors<'a> {
    /// Doors at this address, all closed.
    ///
    /// # Errors
    /// When the system refuses the address a second owner.
    pub(super) fn new(
        context: &'a Context,
        listener: TcpListener,
        handles: Handles,
    ) -> Result<Self, Failure> {
        Ok(Self {
            context,
            listener: listener.into_std().map_err(failed)?,
            handles,
            open: JoinSet::new(),
            close: watch::Sender::new(false),
        })
    }

    /// Opens doors with these settings, and closes those that are open: who is
    /// inside is answered.
    ///
    /// # Errors
    /// When a secret cannot be read; then all is as before.
    pub(super) fn open(&mut self, config: &Config, templates: Templates) -> Result<(), Failure> {
        let serving = self.serving(config, templates)?;
        let listener = self.listener.try_clone().and_then(TcpListener::from_std);
        let (close, mut closed) = watch::channel(false);
        let end = async move {
            // Also when nobody is left to say so.
            drop(closed.wait_for(|is_closed| *is_closed).await);
        };
        let answering = web::serve_readers(listener.map_err(failed)?, serving, end);
        self.open.spawn(answering);
        mem::replace(&mut self.close, close).send_replace(true);
        Ok(())
    }

    fn serving(&self, config: &Config, templates: Templates) -> Result<Serving, Failure> {
        let (clock, talk) = (self.context.clock, self.context.talk);
        Ok(Serving {
            publication: config.publication.clone(),
            digests: config.digests.clone(),
            templates,
            settings: config.serve.clone(),
            folder: config.root.join(workspace::PUBLIC),
            can_subscribe: config.mail.is_some() && config.serve.public_url.is_some(),
            exit: self.handles.exit.clone(),
            store: self.handles.store.clone(),
            hooks: bounces::hooks(config)?,
            now: Box::new(move || clock.now()),
            tell: Box::new(move |what| talk.must_say(what)),
        })
    }

    /// Answers readers, and sends the mails they wait for, until a signal.
    ///
    /// # Errors
    /// When a template of a page does not work out.
    pub(super) async fn keep(
        mut self,
        mut config: Config,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        // Where it cannot be heard it ends the process, as usual.
        let mut hangups = signal(SignalKind::hangup()).ok();
        let (context, post) = (self.context, self.handles.post.clone());
        loop {
            let (say_stop, stop) = watch::channel(Stop::No);
            let next = async {
                let next = self.next(&config, signals, &mut hangups).await;
                // One mail that is under way is finished.
                say_stop.send_replace(Stop::Gracefully);
                next
            };
            let posting = notices::keep_posting(context, &config, &post, stop);
            let (next, ()) = tokio::join!(next, posting);
            match next? {
                Some(fresh) => config = fresh,
                None => break,
            }
        }
        self.close.send_replace(true);
        while let Some(closed) = self.open.join_next().await {
            outcome(closed)?;
        }
        Ok(())
    }

    /// The settings with which it goes on; `None` at the end.
    async fn next(
        &mut self,
        config: &Config,
        signals: &mut Signals,
        hangups: &mut Option<Signal>,
    ) -> Result<Option<Config>, Failure> {
        loop {
            tokio::select! {
                () = signals.next() => return Ok(None),
                () = hung_up(hangups) => match self.read_again(config) {
                    Ok(fresh) => return Ok(Some(fresh)),
                    Err(failure) => {
                        let talk = self.context.talk;
                        talk.must_say(&failure);
                        talk.must_say("readers are answered with the settings from before");
                    }
                },
                Some(closed) = self.open.join_next() => outcome(closed)?,
            }
        }
    }

    fn read_again(&mut self, old: &Config) -> Result<Config, Failure> {
        let context = self.context;
        let (config, warnings) = workspace::configuration(context)?;
        for warning in warnings {
            context.talk.say(warning);
        }
        let (templates, problems) = workspace::templates(&config);
        workspace::refuse_errors(context, &problems)?;
        // Doors with a page that does not work out would not open.
        let problems = web::check_templates(&config.publication, &templates);
        workspace::refuse_errors(context, &problems)?;
        self.open(&config, templates)?;
        context.talk.say("settings and templates are read again");
        if config.store.name() != old.store.name() || config.serve.listen != old.serve.listen {
            context
                .talk
                .must_say("`serve.listen` and `store.url` count from the next start");
        }
        Ok(config)
    }
}

async fn hung_up(hangups: &mut Option<Signal>) {
    match hangups {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn outcome(closed: Result<Result<(), TemplateError>, JoinError>) -> Result<(), Failure> {
    closed
        .map_err(|error| Failure::of(Exit::Internal, &error))?
        .map_err(|error| Failure::of(Exit::Data, &error))
}

fn failed(error: io::Error) -> Failure {
    Failure::of(Exit::Io, &error)
}
