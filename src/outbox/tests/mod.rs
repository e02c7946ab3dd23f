//! Whole drains, from a frozen issue in a real ledger to a scripted relay:
//! nobody lost, nobody twice, and every drain ends.

mod endings;
mod relay;
mod sending;
mod several;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use chrono::TimeDelta;
use tempfile::TempDir;

use self::relay::{Answer, Asked, ScriptedRelay};
use super::*;
use crate::{
    config::settings::{
        Durability, Engine, ListSettings, OnUncertain, RelayTls, Sender, SmtpRelay, StoreSettings,
        Timeouts,
    },
    domain::{
        delivery::{Intent, IssueId, Outcome, Phase, Reply, State},
        subscriber::{NewSubscriber, Status},
    },
    mail::Edition,
    store::{Freeze, FreezeOutcome, IssueChange, IssueKey, NewWorker, Scope},
};

/// No drain of these tests may take longer.
const LIMIT: Duration = Duration::from_secs(20);

struct World {
    store: Store,
    issue: IssueId,
    relay: ScriptedRelay,
    settings: MailSettings,
    /// Seconds that passed since the freeze.
    passed: Arc<AtomicI64>,
    say_stop: watch::Sender<Stop>,
    _folder: TempDir,
}

fn morning() -> DateTime<Utc> {
    "2026-11-27T05:00:00Z".parse().unwrap()
}

fn relay_at(port: u16) -> RelaySettings {
    RelaySettings {
        relay: Relay::Smtp(SmtpRelay {
            host: "127.0.0.1".to_owned(),
            port,
            tls: RelayTls::None,
            login: None,
            password: None,
            password_file: None,
            tls_ca_file: None,
        }),
        weight: 1,
        connections: 3,
        rate: None,
    }
}

fn settings(port: u16) -> MailSettings {
    let limit = Duration::from_secs(10);
    MailSettings {
        from: Sender {
            name: "The Long Table".to_owned(),
            address: "letters@magazine.example.org".parse().unwrap(),
        },
        reply_to: None,
        relays: vec![relay_at(port)],
        hello_name: "press.example.org".to_owned(),
        expire_after: Duration::from_secs(3600),
        relay_patience: Duration::from_secs(1),
        on_uncertain: OnUncertain::Hold,
        idempotency: None,
        timeouts: Timeouts {
            connect: limit,
            greeting: limit,
            auth: limit,
            command: limit,
            data: limit,
            block: limit,
            dot: limit,
        },
        messages_per_connection: 100,
        hard_limit: 1,
        tells_postmark: false,
        dkim: None,
        pictures: crate::config::settings::PictureWay::default(),
        text_links: crate::config::settings::TextLinks::default(),
        link_params: Vec::new(),
        size_budget: 90_000,
        answers: Default::default(),
        list: ListSettings::default(),
        bounce_domain: None,
        public_url: None,
    }
}

pub(super) fn frozen_issue() -> Freeze {
    Freeze {
        digest: "weekly".parse().unwrap(),
        occasion: "2026-11-27T07:00".parse().unwrap(),
        number: 1,
        title: "The Friday Letter".to_owned(),
        subject: "Soups".to_owned(),
        sender: settings(0).from,
        articles: Vec::new(),
        passed_over: Vec::new(),
        editions: vec![Edition::sample().to_bytes()],
        shares: vec![crate::store::Share::EVERYTHING],
        caught_up: Vec::new(),
        missed: Vec::new(),
        hold: None,
        idempotency_header: None,
        expire_at: morning() + TimeDelta::hours(1),
    }
}

impl World {
    /// An issue for these readers, and a relay that follows `script` and takes
    /// commands in groups.
    async fn new(
        readers: impl IntoIterator<Item = String>,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with(true, readers, script).await
    }

    async fn with(
        is_pipelining: bool,
        readers: impl IntoIterator<Item = String>,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = StoreSettings {
            path: folder.path().join("letterpress.db"),
            durability: Durability::Process,
            allow_network_file_system: false,
            engine: Engine::Sqlite,
        };
        let store = Store::open(&ledger, morning()).await.unwrap();
        let readers = readers
            .into_iter()
            .map(|address| NewSubscriber {
                address: address.parse().unwrap(),
                name: None,
                status: Status::Active,
                choice: Default::default(),
            })
            .collect();
        store.add(readers, "test", morning(), false).await.unwrap();
        let frozen = store.freeze(frozen_issue(), morning()).await.unwrap();
        let FreezeOutcome::Frozen(frozen) = frozen else {
            panic!("{frozen:?}");
        };
        let relay = ScriptedRelay::start(is_pipelining, script).await;
        Self {
            settings: settings(relay.port),
            relay,
            store,
            issue: frozen.issue,
            passed: Arc::default(),
            say_stop: watch::Sender::new(Stop::No),
            _folder: folder,
        }
    }

    async fn outbox(&self) -> Outbox {
        let worker = NewWorker {
            host: "press.example.org".to_owned(),
            pid: 4711,
            relay: None,
            run: 0,
        };
        let enlistment = Enlistment::new(self.store.clone(), worker).await.unwrap();
        let passed = Arc::clone(&self.passed);
        Outbox {
            scope: Scope::Everything,
            store: self.store.clone(),
            enlistment: Arc::new(enlistment),
            settings: self.settings.clone(),
            signer: Signer::new(&[3; 32]),
            keys: None,
            now: Arc::new(move || morning() + TimeDelta::seconds(passed.load(Ordering::SeqCst))),
            zone: chrono_tz::UTC,
            chance: Arc::new(|| 0.5),
            stop: self.say_stop.subscribe(),
        }
    }

    async fn drain(&self) -> Report {
        self.run(self.outbox().await).await
    }

    async fn run(&self, outbox: Outbox) -> Report {
        let drain = Drain::new(outbox).await.unwrap();
        let report = tokio::time::timeout(LIMIT, drain.run())
            .await
            .expect("the drain never ended")
            .unwrap();
        assert_eq!(self.store.verify().await.unwrap(), Vec::<String>::new());
        report
    }

    async fn counts(&self) -> BTreeMap<State, u64> {
        self.store.progress(self.issue).await.unwrap()
    }

    /// Attempts that were counted for those who still wait.
    async fn counted_attempts(&self) -> u32 {
        let later = morning() + TimeDelta::minutes(59);
        let due = self
            .store
            .due(Scope::Everything, 1000, later, Default::default())
            .await;
        due.unwrap().iter().map(|delivery| delivery.attempts).sum()
    }

    fn nobody_twice(&self) {
        let taken = self.relay.taken();
        assert!(taken.values().all(|times| *times == 1), "{taken:?}");
    }
}

/// `reader0@d0.example.org` and so on, over four domains.
fn readers(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("reader{n}@d{}.example.org", n % 4))
}

fn usual(_: &Asked) -> Answer {
    Answer::Usual
}
