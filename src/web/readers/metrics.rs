//! Figures for Prometheus (text format 0.0.4), and whether we can serve at all.

use std::{fmt::Write as _, time::Duration};

use axum::{http::StatusCode, response::Response};

use super::Site;
use crate::{
    domain::network::Network,
    store::{SlowReceiver, StoreError, Worker},
    web::gate::peer::Asker,
};

/// The ledger is asked no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where whoever reads figures may be: this machine and private networks
/// (RFC 1918, RFC 4193).
const PRIVATE: [&str; 6] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1",
    "fc00::/7",
];

/// Whether a reader could leave now.
pub(super) async fn health(site: &Site) -> Response {
    let asked = tokio::time::timeout(PATIENCE, site.exit.runs(1)).await;
    match asked {
        Ok(Ok(_)) => site.pages.plain(StatusCode::OK, "ok\n"),
        Ok(Err(_)) | Err(_) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            site.pages.plain(status, "the ledger cannot be read\n")
        }
    }
}

/// The figures, for whoever asks from near and not through a proxy.
pub(super) async fn answer(site: &Site, asker: &Asker) -> Response {
    let networks = PRIVATE.iter().filter_map(|one| one.parse::<Network>().ok());
    let is_near = networks.into_iter().any(|one| one.contains(asker.address));
    if asker.is_forwarded || !is_near {
        return site
            .pages
            .plain(StatusCode::NOT_FOUND, "nothing stands at this address\n");
    }
    let mut text = Text::default();
    let asked = async {
        let readers = site.store.counts_by_status().await?;
        let deliveries = site.store.deliveries_by_state().await?;
        Ok::<_, crate::store::StoreError>((readers, deliveries))
    };
    let known = tokio::time::timeout(PATIENCE, asked)
        .await
        .ok()
        .and_then(Result::ok);
    text.family("ledger_up", "gauge", "Whether the ledger could be read.");
    text.value("ledger_up", &[], u64::from(known.is_some()));
    if let Some((readers, deliveries)) = known {
        text.family("readers", "gauge", "Readers, by status.");
        for (status, count) in readers {
            text.value("readers", &[("status", status.as_str())], count);
        }
        text.family("deliveries", "gauge", "Deliveries of all issues, by state.");
        for (state, count) in deliveries {
            text.value("deliveries", &[("state", state.as_str())], count);
        }
    }
    if site.store.is_shared()
        && let Ok(Ok(crew)) = tokio::time::timeout(PATIENCE, Crew::of(site)).await
    {
        crew.write(&mut text);
    }
    counters(site, &mut text);
    site.pages
        .data("text/plain; version=0.0.4; charset=utf-8", text.0)
}

/// Who delivers from a ledger on a server, and how well they keep up.
struct Crew {
    workers: Vec<Worker>,
    slow: Vec<SlowReceiver>,
    /// For how many seconds the longest waiting delivery has been due.
    lag: u64,
}

impl Crew {
    async fn of(site: &Site) -> Result<Self, StoreError> {
        let next_due = site.store.next_due().await?;
        let lag = next_due.map_or(0, |at| ((site.now)() - at).num_seconds().max(0));
        Ok(Self {
            workers: site.store.workers().await?,
            slow: site.store.slow_receivers().await?,
            lag: lag.unsigned_abs(),
        })
    }

    fn write(&self, text: &mut Text) {
        text.family("workers", "gauge", "Workers whose lease lasts.");
        text.value("workers", &[], self.workers.len() as u64);
        let epochs = self.workers.iter().map(|one| one.epoch.to_string());
        let workers: Vec<(String, &Worker)> = epochs.zip(&self.workers).collect();
        text.family(
            "worker_sent_total",
            "counter",
            "Messages that relays took of a worker.",
        );
        for (epoch, one) in &workers {
            text.value("worker_sent_total", &[("worker", epoch)], one.sent);
        }
        text.family(
            "worker_in_hand",
            "gauge",
            "Deliveries that a worker has claimed.",
        );
        for (epoch, one) in &workers {
            text.value("worker_in_hand", &[("worker", epoch)], one.in_hand);
        }
        text.family(
            "lag_seconds",
            "gauge",
            "For how long the longest waiting delivery has been due.",
        );
        text.value("lag_seconds", &[], self.lag);
        text.family(
            "receiver_refusals",
            "gauge",
            "Messages put off by receivers that are served slowly.",
        );
        for one in &self.slow {
            text.value(
                "receiver_refusals",
                &[("domain", &one.domain)],
                one.refusals,
            );
        }
    }
}

fn counters(site: &Site, text: &mut Text) {
    let counts = &site.counts;
    text.family(
        "requests_total",
        "counter",
        "Requests, by what was asked for and answered.",
    );
    for ((page, status), count) in counts.requests.all() {
        let status = status.to_string();
        text.value(
            "requests_total",
            &[("page", page), ("status", &status)],
            count,
        );
    }
    text.family(
        "departures_total",
        "counter",
        "Readers who left, by how and with what result.",
    );
    for ((how, result), count) in counts.departures.all() {
        text.value(
            "departures_total",
            &[("how", how), ("result", result)],
            count,
        );
    }
    text.family(
        "signups_total",
        "counter",
        "Sign-ups, by what came of them.",
    );
    for (outcome, count) in counts.signups.all() {
        text.value("signups_total", &[("outcome", outcome)], count);
    }
    text.family(
        "form_closed",
        "gauge",
        "Whether the form to sign up closed itself.",
    );
    text.value("form_closed", &[], u64::from(site.window.is_closed()));
    text.family("limits_total", "counter", "Limits that were hit.");
    for (limit, count) in counts.limits.all() {
        text.value("limits_total", &[("limit", limit)], count);
    }
}

/// Text in the form that Prometheus reads.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to memory does not fail.
        let _ = writeln!(
            self.0,
            "# HELP letterpress_{name} {help}\n# TYPE letterpress_{name} {kind}"
        );
    }

    /// One figure; labels are words of ours, without quotes and line ends.
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "letterpress_{name}{labels} {value}");
    }
}
