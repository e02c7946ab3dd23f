//! Single mails that answer what one reader did: they are made where somebody
//! waits for one, and sent by `run` and `send` along with the issues, by
//! `serve` on its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    Context,
    deliver::{self, Delivering},
    doubt, ending,
    exit::{Exit, Failure},
    freezing,
    illustrations::Illustrations,
    right::Right,
    turn, workspace,
};
use crate::{
    config::{Config, settings::MailSettings},
    domain::{consent::Answer, digest::Digest},
    links::Signer,
    mail::{Edition, Notice, NoticeInput, Pictures, Rendered, dkim::Keys, render_notice},
    outbox::{Monitor, Stop},
    store::{LockError, NoticeFreeze, Scope, Store, WaitingAnswers},
    templates::Templates,
};

/// How often a command that sends looks for new ones meanwhile.
const LOOK: Duration = Duration::from_secs(3);
/// How long `serve` waits after a trouble before it tries again.
const REST: Duration = Duration::from_secs(60);
/// The same while the relay is away: at first it may only have been restarted.
const RESTS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(15), REST];

/// What notices are drawn with.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The templates.
    pub templates: &'a Templates,
    /// Signs links.
    pub signer: &'a Signer,
    /// Signs messages, where they are signed.
    pub keys: Option<&'a Keys>,
    /// Their date.
    pub now: DateTime<Utc>,
    /// The language of the readers they are for; where absent the digest's.
    pub language: Option<&'a str>,
}

impl Drawing<'_> {
    /// A notice about a digest, and the copies of the logo that it shows.
    ///
    /// # Errors
    /// When a template fails or the logo cannot be copied: exit 65; and exit 78
    /// where there is no page to lead to.
    pub fn draw(
        &self,
        notice: Notice,
        digest: &Digest,
    ) -> Result<(Rendered, Illustrations), Failure> {
        let publication = &self.config.publication;
        let settings = freezing::without_password(self.config)?;
        let render = |pictures: &Pictures| {
            let input = NoticeInput {
                language: self.language,
                publication,
                digest,
                pictures,
                date: self.now.with_timezone(&publication.timezone).fixed_offset(),
            };
            let (templates, signer) = (self.templates, self.signer);
            render_notice(notice, &input, templates, settings, signer, self.keys)
                .map_err(|error| Failure::of(freezing::exit_of(&error), &error))
        };
        let illustrations = Illustrations::of_masthead(self.config)?;
        let rendered = render(&illustrations.pictures)?;
        let rendered = match illustrations.embedded(&rendered.html)? {
            Some(pictures) => render(&pictures)?,
            None => rendered,
        };
        Ok((rendered, illustrations))
    }
}

/// What single mails are made with.
struct Press<'a> {
    config: &'a Config,
    settings: &'a MailSettings,
    store: &'a Store,
    templates: Templates,
    keys: Option<Keys>,
    signer: Signer,
}

/// Makes deliveries of all single mails that wait; says how many.
///
/// # Errors
/// When a template fails, a key cannot be read, or the ledger cannot be written.
pub async fn press(context: &Context, config: &Config, store: &Store) -> Result<u64, Failure> {
    let Some(settings) = &config.mail else {
        return Ok(0);
    };
    let waiting = store.answers().await.map_err(workspace::store_failure)?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let press = Press {
        config,
        settings,
        store,
        templates: workspace::templates(config).0,
        keys: freezing::signing_keys(config)?,
        signer: Signer::new(store.install_key()),
    };
    let mut made = 0;
    for waiting in waiting {
        made += press.make(context, waiting).await?;
    }
    Ok(made)
}

impl Press<'_> {
    async fn make(&self, context: &Context, waiting: WaitingAnswers) -> Result<u64, Failure> {
        let wanted = self.digest(&waiting).filter(|_| self.sends(waiting.answer));
        let now = context.clock.now();
        let made = match (wanted, notice(waiting.answer)) {
            (None, _) => None,
            (Some(digest), Some(notice)) => Some(self.notice(context, digest, notice, &waiting)?),
            (Some(digest), None) => self.latest(context, digest, &waiting).await?,
        };
        let done = match made {
            Some(made) => self.store.freeze_notice(made, now).await,
            None => self.store.forget_answers(waiting).await.map(|()| 0),
        };
        done.map_err(workspace::store_failure)
    }

    /// Whether the publication sends such mails at all.
    fn sends(&self, answer: Answer) -> bool {
        let settings = self.settings;
        match answer {
            Answer::Confirm => settings.public_url.is_some(),
            Answer::Welcome => settings.answers.welcome,
            Answer::Goodbye => settings.answers.goodbye,
            Answer::Latest => settings.answers.latest_issue,
        }
    }

    /// What the mail speaks of. Who left everything hears of the first digest.
    fn digest(&self, waiting: &WaitingAnswers) -> Option<&Digest> {
        match waiting.digest.as_str() {
            "" => self.config.digests.first(),
            name => self.config.digest(name),
        }
    }

    fn notice(
        &self,
        context: &Context,
        digest: &Digest,
        notice: Notice,
        waiting: &WaitingAnswers,
    ) -> Result<NoticeFreeze, Failure> {
        let drawing = Drawing {
            config: self.config,
            templates: &self.templates,
            signer: &self.signer,
            keys: self.keys.as_ref(),
            now: context.clock.now(),
            language: waiting.language.as_deref(),
        };
        let (rendered, illustrations) = drawing.draw(notice, digest)?;
        // Readers may ask for a picture as soon as they have the mail.
        illustrations.publish(self.config, &rendered.html)?;
        let variant = waiting.language.clone().unwrap_or_default();
        Ok(self.freeze(
            waiting,
            digest,
            variant,
            (rendered.subject, &rendered.edition),
        ))
    }

    /// The newest issue, in the edition that readers of the same choice got, else
    /// whole; none where there is none yet.
    async fn latest(
        &self,
        context: &Context,
        digest: &Digest,
        waiting: &WaitingAnswers,
    ) -> Result<Option<NoticeFreeze>, Failure> {
        let now = context.clock.now();
        let store = self.store;
        let issue = store
            .latest_issue(waiting.clone(), now)
            .await
            .map_err(workspace::store_failure)?;
        let Some(issue) = issue else {
            return Ok(None);
        };
        let number = store
            .edition_of_choices(issue, waiting.choices.clone())
            .await
            .map_err(workspace::store_failure)?;
        let stored = store
            .edition(issue, number)
            .await
            .map_err(workspace::store_failure)?;
        let date = now.with_timezone(&self.config.publication.timezone);
        let anew = stored.and_then(|stored| {
            let edition = Edition::from_bytes(&stored.bytes).ok()?;
            let anew = edition.sent_anew(date.fixed_offset(), self.keys.as_ref())?;
            let variant = match number {
                1 => String::new(),
                other => other.to_string(),
            };
            Some(self.freeze(waiting, digest, variant, (stored.subject, &anew)))
        });
        Ok(anew)
    }

    fn freeze(
        &self,
        waiting: &WaitingAnswers,
        digest: &Digest,
        variant: String,
        (subject, edition): (String, &Edition),
    ) -> NoticeFreeze {
        let idempotency = self.settings.idempotency.as_ref();
        NoticeFreeze {
            waiting: waiting.clone(),
            variant,
            title: digest.title.clone(),
            subject,
            sender: self.settings.from.clone(),
            edition: edition.to_bytes(),
            idempotency_header: idempotency.map(|known| known.header.clone()),
        }
    }
}

/// The templates of an answer; none where it is an issue.
fn notice(answer: Answer) -> Option<Notice> {
    match answer {
        Answer::Confirm => Some(Notice::Confirm),
        Answer::Welcome => Some(Notice::Welcome),
        Answer::Goodbye => Some(Notice::Goodbye),
        Answer::Latest => None,
    }
}

/// Makes what is wanted while a command delivers, until that is done: nobody
/// who has just asked waits for the end of a long issue.
pub async fn keep_pressing(context: &Context, config: &Config, store: &Store, monitor: &Monitor) {
    let mut told = Told::default();
    loop {
        tokio::time::sleep(LOOK).await;
        match press(context, config, store).await {
            Ok(made) => {
                told.is_well();
                if made > 0 {
                    monitor.look_again();
                }
            }
            Err(failure) => told.tell(context, &failure),
        }
    }
}

/// Makes and sends what is wanted while nobody else sends, until `stop`.
pub async fn keep_posting(
    context: &Context,
    config: &Config,
    store: &Store,
    mut stop: watch::Receiver<Stop>,
) {
    let mut told = Told::default();
    let mut rests = RESTS.iter();
    loop {
        let rest = match post(context, config, store).await {
            Ok(Posted::Well) => {
                told.is_well();
                rests = RESTS.iter();
                LOOK
            }
            Ok(Posted::Away) => *rests.next().unwrap_or(&REST),
            Ok(Posted::Badly) => REST,
            Err(failure) => {
                told.tell(context, &failure);
                REST
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::No) => return,
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// How a round of `serve` went.
enum Posted {
    /// Nothing waits, or another command sends it.
    Well,
    /// The relay is away, or takes no more for now.
    Away,
    /// Something that time alone does not mend.
    Badly,
}

async fn post(context: &Context, config: &Config, store: &Store) -> Result<Posted, Failure> {
    if config.mail.is_none() || !is_anything_due(context, store).await? {
        return Ok(Posted::Well);
    }
    // Whoever sends has the lock, and sends these too.
    let mut right = match Right::now(context, config) {
        Ok(right) => right,
        Err(LockError::Held(_)) => return Ok(Posted::Well),
        Err(LockError::Store(error)) => return Err(workspace::store_failure(error)),
    };
    let number = turn::begin(context, config, store).await?;
    let result = send(context, config, store, number, &mut right).await;
    let ended = turn::close(context, store, number, result, |exit| {
        format!(
            "{{\"number\":{number},\"notices\":true,\"exit\":{}}}",
            exit.code()
        )
    })
    .await?;
    Ok(match ended {
        Exit::Done | Exit::Uncertain => Posted::Well,
        Exit::Temporary => Posted::Away,
        _ => Posted::Badly,
    })
}

async fn is_anything_due(context: &Context, store: &Store) -> Result<bool, Failure> {
    let waiting = store.answers().await.map_err(workspace::store_failure)?;
    let now = context.clock.now();
    let due = store.count_due(Scope::Notices, now).await;
    Ok(!waiting.is_empty() || due.map_err(workspace::store_failure)? > 0)
}

async fn send(
    context: &Context,
    config: &Config,
    store: &Store,
    number: i64,
    right: &mut Right,
) -> Result<Exit, Failure> {
    doubt::recover(context, config, store, None).await?;
    press(context, config, store).await?;
    let delivering = Delivering {
        config,
        store,
        number,
        scope: Scope::Notices,
        relay: None,
        grace: Duration::from_secs(10),
    };
    let (exit, report, mut signals) = deliver::enlisted(context, &delivering, right).await?;
    let exit = exit.worse(ending::conclude(context, config, &report));
    let finished = deliver::finish(context, store);
    signals.heeded(store, finished).await?;
    Ok(exit)
}

/// A trouble is told once, and again when it comes back.
#[derive(Default)]
struct Told(Option<String>);

impl Told {
    fn is_well(&mut self) {
        self.0 = None;
    }

    fn tell(&mut self, context: &Context, failure: &Failure) {
        let text = failure.to_string();
        if self.0.as_ref() != Some(&text) {
            context.talk.must_say(failure);
            self.0 = Some(text);
        }
    }
}
