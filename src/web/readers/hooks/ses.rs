//! Amazon SNS posts what SES has to tell of bounces and complaints. It is taken
//! when Amazon signed it for our topic, and counts, like any report, by the
//! token of ours inside it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{extract::Request, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use url::Url;

use super::apply;
use crate::{
    inbound::{
        mail,
        sns::{SnsError, SnsMessage},
    },
    links::Signer,
    store::{Store, StoreError},
    web::{gate::body, readers::Site},
};

/// So many certificates are kept: Amazon has one at a time in a region.
const MOST_KEPT: usize = 4;

/// Fetches a certificate of Amazon SNS; blocks for a moment.
pub type Fetch = dyn Fn(&Url) -> Result<Vec<u8>, String> + Send + Sync;

/// What the endpoint for Amazon SNS needs.
pub struct SesHook {
    topic: String,
    fetch: Arc<Fetch>,
    certificates: Mutex<HashMap<Url, Vec<u8>>>,
    /// Whether it was said that the topic is set up in another way.
    has_told: AtomicBool,
}

/// Why a message was not applied.
enum Refusal {
    /// Amazon did not send it, or not for our topic.
    Stranger(SnsError),
    /// Its certificate cannot be fetched now: Amazon tries again.
    NoCertificate(String),
    /// The ledger failed: Amazon tries again.
    Store(StoreError),
}

impl SesHook {
    /// An endpoint for the messages of this topic (its ARN).
    #[must_use]
    pub fn new(topic: String, fetch: Arc<Fetch>) -> Self {
        Self {
            topic,
            fetch,
            certificates: Mutex::default(),
            has_told: false.into(),
        }
    }

    /// Takes a message, and hands back what the publisher must know of it.
    async fn take(
        &self,
        body: &[u8],
        hard_limit: u32,
        store: &Store,
        signer: &Signer,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, Refusal> {
        let message = SnsMessage::parse(body).map_err(Refusal::Stranger)?;
        if message.topic_arn != self.topic {
            return Err(Refusal::Stranger(SnsError::Signature));
        }
        self.prove(&message).await?;
        match (message.kind.as_str(), &message.subscribe_url) {
            ("Notification", _) => {
                apply(message.message.as_bytes(), hard_limit, store, signer, now)
                    .await
                    .map_err(Refusal::Store)
            }
            ("SubscriptionConfirmation", Some(url)) => Ok(vec![format!(
                "Amazon SNS asks whether it may tell of bounces; open this page to say yes: {url}"
            )]),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether Amazon signed it.
    async fn prove(&self, message: &SnsMessage) -> Result<(), Refusal> {
        let url = message.certificate_url().map_err(Refusal::Stranger)?;
        let known = self.kept().get(&url).cloned();
        let certificate = match known {
            Some(known) => known,
            None => {
                let (fetch, from) = (Arc::clone(&self.fetch), url.clone());
                let fetched = tokio::task::spawn_blocking(move || fetch(&from)).await;
                fetched
                    .unwrap_or_else(|error| Err(error.to_string()))
                    .map_err(Refusal::NoCertificate)?
            }
        };
        message.verify(&certificate).map_err(Refusal::Stranger)?;
        let mut kept = self.kept();
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(url, certificate);
        Ok(())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Url, Vec<u8>>> {
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a post of Amazon SNS.
pub(in crate::web::readers) async fn ses(site: &Site, request: Request) -> Response {
    let Some(hook) = &site.hooks.ses else {
        return site
            .pages
            .plain(StatusCode::NOT_FOUND, "there is nothing here\n");
    };
    let (head, body) = request.into_parts();
    let bytes = match body::bytes_up_to(mail::MOST_BYTES, &head.headers, body).await {
        Ok(bytes) => bytes,
        Err(refused) => return site.refused(refused),
    };
    match hook
        .take(
            &bytes,
            site.hooks.hard_limit,
            &site.store,
            &site.signer,
            (site.now)(),
        )
        .await
    {
        Ok(news) => {
            news.iter().for_each(|line| (site.tell)(line));
            site.pages.plain(StatusCode::OK, "taken\n")
        }
        Err(Refusal::Stranger(why)) => {
            // What only the publisher can mend is said, once.
            if why == SnsError::Version && !hook.has_told.swap(true, Ordering::Relaxed) {
                (site.tell)(&format!(
                    "a message for `bounces.ses_topic` is not taken: {why}"
                ));
            }
            site.pages.plain(StatusCode::FORBIDDEN, "not taken\n")
        }
        Err(Refusal::NoCertificate(why)) => {
            (site.tell)(&format!(
                "a message of Amazon SNS has to wait: its certificate cannot be fetched ({why})"
            ));
            site.pages.plain(StatusCode::SERVICE_UNAVAILABLE, "later\n")
        }
        Err(Refusal::Store(error)) => site.failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        config::settings::{Durability, Engine, StoreSettings},
        inbound::sns::tests::Signing,
    };

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:bounces";

    fn now() -> DateTime<Utc> {
        "2026-11-27T06:00:00Z".parse().unwrap()
    }

    async fn ledger(folder: &tempfile::TempDir) -> Store {
        let settings = StoreSettings {
            path: folder.path().join("letterpress.db"),
            durability: Durability::Process,
            allow_network_file_system: false,
            engine: Engine::Sqlite,
        };
        Store::open(&settings, now()).await.unwrap()
    }

    #[tokio::test]
    async fn what_amazon_signed_for_our_topic_is_taken_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = ledger(&folder).await;
        let signer = Signer::new(store.install_key());
        let signing = Signing::new();
        let fetches = Arc::new(AtomicUsize::new(0));
        let (counter, pem) = (Arc::clone(&fetches), signing.certificate.clone());
        let fetch = move |_: &Url| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(pem.clone().into_bytes())
        };
        let hook = SesHook::new(TOPIC.to_owned(), Arc::new(fetch));
        let told = async |body: &str| hook.take(body.as_bytes(), 1, &store, &signer, now()).await;

        let asks = signing.message("SubscriptionConfirmation", "You chose to subscribe");
        let news = told(&asks).await.ok().unwrap();
        assert!(
            news[0].contains("https://sns.eu-west-1.amazonaws.com/?x=1"),
            "{news:?}"
        );
        let local = signer.bounce_local(1);
        let bounce = format!(
            r#"{{"notificationType":"Complaint","complaint":{{}},"mail":{{"source":"{local}@b.example.org"}}}}"#
        );
        let body = signing.message("Notification", &bounce);
        assert_eq!(told(&body).await.ok(), Some(Vec::new()));
        assert_eq!(told(&body).await.ok(), Some(Vec::new()), "twice");
        assert_eq!(fetches.load(Ordering::Relaxed), 1, "a certificate is kept");

        for forged in [
            body.replace(&local, "somebody"),
            body.replace(":bounces", ":others"),
            Signing::new().message("Notification", &bounce),
            body.replace("sns.eu-west-1.amazonaws.com", "sns.example.net"),
            "{}".to_owned(),
        ] {
            let refused = told(&forged).await;
            assert!(matches!(refused, Err(Refusal::Stranger(_))), "{forged}");
        }
        let away = SesHook::new(TOPIC.to_owned(), Arc::new(|_: &Url| Err("gone".to_owned())));
        let refused = away.take(body.as_bytes(), 1, &store, &signer, now()).await;
        assert!(matches!(refused, Err(Refusal::NoCertificate(_))));
    }
}
