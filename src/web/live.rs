//! Pages that reload themselves: one small script, known to browsers by its
//! hash, and the events it listens to.

use std::{convert::Infallible, sync::LazyLock};

use axum::response::sse::{Event, KeepAlive, Sse};
use data_encoding::BASE64;
use futures_util::stream::{self, Stream};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

/// Where the events are.
pub const EVENTS: &str = "/_preview/events";

/// Browsers open few connections to one server, so a page in the background
/// closes its own, and asks again when it is looked at.
const SCRIPT: &str = include_str!("live.js");

/// The hash by which a policy allows [`script`] and nothing else.
pub(super) fn hash() -> &'static str {
    static HASH: LazyLock<String> =
        LazyLock::new(|| format!("sha256-{}", BASE64.encode(&Sha256::digest(SCRIPT))));
    &HASH
}

/// The element that makes a page of this version reload when there is another.
#[must_use]
pub fn script(version: &str) -> String {
    let version = quick_xml::escape::escape(version);
    format!("<script data-version=\"{version}\">{SCRIPT}</script>")
}

/// The version as it is, then each new one, until `stopping`.
pub(super) fn events(
    versions: watch::Receiver<String>,
    stopping: watch::Receiver<bool>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let told = stream::unfold(
        (versions, stopping, true),
        |(mut versions, mut stopping, is_first)| async move {
            if !is_first {
                tokio::select! {
                    changed = versions.changed() => changed.ok()?,
                    _ = stopping.wait_for(|stopping| *stopping) => return None,
                }
            }
            let version = versions.borrow_and_update().clone();
            let event = Ok(Event::default().data(version));
            Some((event, (versions, stopping, false)))
        },
    );
    Sse::new(told).keep_alive(KeepAlive::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_cannot_end_its_attribute() {
        let element = script("\"><b>");
        assert!(element.starts_with("<script data-version=\"&quot;&gt;&lt;b&gt;\">"));
        assert!(!SCRIPT.contains("</script"));
    }
}
