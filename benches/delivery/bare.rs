//! What the ledger costs: the messages of the issue in a ledger, handed to a
//! relay over several sessions, with intents and outcomes or without them.
//!
//! `bare LEDGER PORT SESSIONS [--ledger]` prints messages per second. Run by
//! `benches/delivery/compare ledger`; the program itself has no such mode.

use std::{
    collections::{HashSet, VecDeque},
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use letterpress::{
    config::settings::{Durability, Engine, RelayTls, SmtpRelay, StoreSettings, Timeouts},
    domain::delivery::{DueDelivery, Intent, Outcome},
    links::Signer,
    mail::{
        Addressed, Composer, Edition,
        smtp::{Dialer, Envelope},
    },
    store::{Slate, Store},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What all sessions share.
struct Shared {
    store: Store,
    /// With the ledger.
    slate: Option<Arc<Slate>>,
    is_durable: bool,
    dialer: Dialer,
    composer: Composer,
    signer: Signer,
    number: u32,
    now: DateTime<Utc>,
    waiting: Mutex<VecDeque<DueDelivery>>,
}

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` itself passes `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [path, port, sessions, rest @ ..] = arguments.as_slice() else {
        return Ok(());
    };
    let settings = StoreSettings {
        path: path.into(),
        durability: Durability::Power,
        allow_network_file_system: false,
        engine: Engine::Sqlite,
    };
    let now: DateTime<Utc> = "2026-11-27T06:00:00Z".parse()?;
    let store = Store::open(&settings, now).await?;
    let due = store
        .due(
            letterpress::store::Scope::Everything,
            usize::MAX,
            now,
            HashSet::new(),
        )
        .await?;
    let issue = due.first().ok_or("nothing is due")?.issue;
    let edition = store.edition(issue, 1).await?.ok_or("no edition")?;
    let is_durable = rest == ["--ledger"];
    if is_durable {
        store.recover(now).await?;
    }
    let shared = Arc::new(Shared {
        slate: store.slate(is_durable).await?,
        is_durable,
        dialer: Dialer::new(relay(port.parse()?), "bench.example.org", timeouts())?,
        composer: Composer::new(Edition::from_bytes(&edition.bytes)?, None)?,
        signer: Signer::new(store.install_key()),
        number: edition.number,
        now,
        waiting: Mutex::new(due.into()),
        store,
    });
    let messages = u32::try_from(shared.waiting().len())?;
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..sessions.parse()? {
        tasks.spawn(session(Arc::clone(&shared), number));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    println!("{}", f64::from(messages) / begin.elapsed().as_secs_f64());
    Ok(())
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<DueDelivery>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Result<Option<(DueDelivery, Envelope)>> {
        let Some(delivery) = self.waiting().pop_front() else {
            return Ok(None);
        };
        let from = self.composer.envelope_from(delivery.id, &self.signer)?;
        let envelope = Envelope::new(&from, &delivery.address)?;
        Ok(Some((delivery, envelope)))
    }
}

async fn session(shared: Arc<Shared>, number: usize) -> Result<()> {
    let mut session = shared.dialer.open().await?;
    let mut present = shared.next()?;
    // As the program does: the intent of a message is asked for one ahead.
    let mut asked = None;
    while let Some((delivery, envelope)) = present {
        session.open(&envelope).await?;
        let message = shared.composer.message(
            &Addressed {
                issue: delivery.issue,
                delivery: delivery.id,
                issue_number: shared.number,
                subscriber: delivery.subscriber,
                address: &delivery.address,
                name: delivery.name.as_deref(),
            },
            &shared.signer,
        )?;
        let mut attempt = None;
        if shared.is_durable {
            let mut asked = asked
                .take()
                .unwrap_or_else(|| shared.store.intent(delivery.id, shared.now));
            let told = match asked.at_hand() {
                Some(told) => told,
                None => {
                    shared.store.waited_for();
                    asked.await
                }
            };
            match told? {
                Intent::Granted(granted) => attempt = Some(granted),
                Intent::Refused => return Err("an intent was refused".into()),
            }
        }
        let next = shared.next()?;
        session.text(message.pieces(), message.size()).await?;
        if let (Some(slate), Some(attempt)) = (&shared.slate, attempt) {
            slate.dot(number, attempt)?;
            let ask = |(next, _): &(DueDelivery, Envelope)| {
                shared.store.intent_ahead(next.id, shared.now)
            };
            asked = next.as_ref().map(ask);
        }
        let reply = session
            .end(next.as_ref().map(|(_, envelope)| envelope))
            .await?;
        if let Some(attempt) = attempt {
            let sent = Outcome::Sent(reply);
            if let Some(slate) = &shared.slate {
                slate.ended(attempt, &sent, shared.now)?;
            }
            drop(shared.store.outcome(attempt, sent, shared.now));
        }
        present = next;
    }
    session.quit().await;
    Ok(())
}

fn relay(port: u16) -> SmtpRelay {
    SmtpRelay {
        host: "127.0.0.1".to_owned(),
        port,
        tls: RelayTls::None,
        login: None,
        password: None,
        password_file: None,
        tls_ca_file: None,
    }
}

fn timeouts() -> Timeouts {
    let limit = Duration::from_secs(60);
    Timeouts {
        connect: limit,
        greeting: limit,
        auth: limit,
        command: limit,
        data: limit,
        block: limit,
        dot: limit,
    }
}
