//! Certificates of Amazon SNS, fetched from Amazon when a message is signed with
//! one that is not known yet.

use std::{sync::Arc, time::Duration};

use ureq::Agent;
use url::Url;

use crate::{client, web::SesHook};

/// How long fetching may take, and connecting within it.
const PATIENCE: Duration = Duration::from_secs(10);
/// No certificate is larger.
const LARGEST: u64 = 64 * 1024;

/// The endpoint for the messages of this topic. Connects to nobody yet.
#[must_use]
pub(super) fn ses_hook(topic: String) -> SesHook {
    let agent = client::agent("https", PATIENCE / 2, PATIENCE);
    SesHook::new(topic, Arc::new(move |url: &Url| fetch(&agent, url)))
}

/// The caller has seen to it that the address is Amazon's.
fn fetch(agent: &Agent, url: &Url) -> Result<Vec<u8>, String> {
    let answer = agent.get(url.as_str()).call();
    let mut answer = answer.map_err(|error| client::phrase(&error))?;
    if !answer.status().is_success() {
        return Err(format!("it answered {}", answer.status()));
    }
    let body = answer.body_mut().with_config().limit(LARGEST);
    body.read_to_vec().map_err(|error| client::phrase(&error))
}
