//! Certificates of Amazon SNS, fetched from Amazon when a message is signed with
//! one that is not known yet.

use std::{sync::Arc, time::Duration};

use ureq::Agent;
use url::Url;

use crate::{web::SesHook, websub};

/// How long fetching may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);
/// No certificate is larger.
const LARGEST: u64 = 64 * 1024;

/// The endpoint for the messages of this topic. Connects to nobody yet.
#[must_use]
pub fn ses_hook(topic: String) -> SesHook {
    let config = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .https_only(true)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("Letterpress/", env!("CARGO_PKG_VERSION")))
        .tls_config(websub::trust())
        .build();
    let agent: Agent = config.into();
    SesHook::new(topic, Arc::new(move |url: &Url| fetch(&agent, url)))
}

/// The caller has seen to it that the address is Amazon's.
fn fetch(agent: &Agent, url: &Url) -> Result<Vec<u8>, String> {
    let mut response = agent
        .get(url.as_str())
        .call()
        .map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("it answered {}", response.status()));
    }
    let body = response.body_mut().with_config().limit(LARGEST);
    body.read_to_vec().map_err(|error| error.to_string())
}
