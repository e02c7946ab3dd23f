//! Until when a server can prove who it is (RFC 5280 4.1.2.5).

use chrono::{DateTime, TimeDelta, Utc};
use x509_cert::{Certificate, der::Decode as _};

use super::{Finding, Topic};

/// What renews certificates by itself does so a month before their end: with less
/// time than this left, it does not work.
const SOON: TimeDelta = TimeDelta::days(14);

/// A warning when the certificate (DER) of the server of this name is about to
/// end.
#[must_use]
pub fn about_to_end(
    topic: Topic,
    name: &str,
    certificate: &[u8],
    now: DateTime<Utc>,
) -> Option<Finding> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate.validity.not_after;
    let end = i64::try_from(end.to_unix_duration().as_secs()).ok()?;
    let end = DateTime::from_timestamp(end, 0)?;
    let left = end - now;
    (left < SOON).then(|| {
        let days = match left.num_days() {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        Finding::warning(
            topic,
            format!(
                "the certificate of {name} ends on {}, in {days}",
                end.format("%Y-%m-%d")
            ),
            "have it renewed before then, and see why it was not: without it no message is sent \
             and no reader can leave",
        )
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn two_weeks_before_its_end_a_certificate_is_told_of() {
        let mut params = CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 12, 5);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let at = |day: &str| {
            let now = format!("{day}T00:00:00Z").parse().unwrap();
            let found = about_to_end(Topic::Relay, "mx.example.org", &der, now);
            found.map(|finding| finding.what)
        };
        assert_eq!(at("2026-11-20"), None);
        let said = "the certificate of mx.example.org ends on 2026-12-05, in";
        assert_eq!(at("2026-11-28"), Some(format!("{said} 7 days")));
        assert_eq!(at("2026-12-04"), Some(format!("{said} 1 day")));
        let now = "2026-11-28T00:00:00Z".parse().unwrap();
        let broken = about_to_end(Topic::Relay, "x", &der[..der.len() / 2], now);
        assert_eq!(broken, None);
    }
}
