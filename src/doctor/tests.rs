//! Promises of what is made of the answers of a real DNS server.

#[path = "../../tests/harness/dns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the suite")]
mod dns;

use std::collections::BTreeSet;

use dns::Dns;

use super::*;

const DOMAIN: &str = "bounces.example.org";
const RELAY: &str = "smtp.example.net";

fn names(dns: &Dns) -> Names {
    Names::new(Some(dns.address())).unwrap()
}

/// A server that knows a relay with two addresses outside.
fn with_relay() -> Dns {
    let dns = Dns::start();
    dns.address_of(RELAY, "203.0.113.5")
        .address_of(RELAY, "2001:db8::5");
    dns
}

async fn spf(dns: &Dns) -> Vec<(Level, String)> {
    let sending = Sending {
        domain: DOMAIN,
        relays: vec![RELAY],
    };
    let found = super::sending(&names(dns), &sending).await;
    found.into_iter().map(|one| (one.level, one.what)).collect()
}

#[tokio::test]
async fn a_record_covers_a_relay_by_every_kind_of_term() {
    for record in [
        "v=spf1 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all",
        "v=spf1 a:smtp.example.net ~all",
        "V=SPF1 mx -all",
        "v=spf1 include:operator.example.net -all",
        "v=spf1 redirect=operator.example.net",
        "v=spf1 a:other.example.net/24//64 exp=why.example.org -all",
    ] {
        let dns = with_relay();
        dns.text(DOMAIN, record)
            .text(DOMAIN, "google-site-verification=x")
            .exchange(DOMAIN, 10, RELAY)
            .address_of("other.example.net", "203.0.113.77")
            .address_of("other.example.net", "2001:db8::99")
            .text("operator.example.net", "v=spf1 a:smtp.example.net ?all");
        let found = spf(&dns).await;
        let all_ok = found.iter().all(|(level, _)| *level == Level::Ok);
        let is_told = found.iter().any(|(_, what)| {
            what.starts_with("bounces.example.org covers smtp.example.net (203.0.113.5, ")
        });
        let is_neutral = record.contains("redirect");
        assert!((all_ok || is_neutral) && is_told, "{record}: {found:?}");
    }
}

#[tokio::test]
async fn a_record_that_receivers_do_not_believe_is_an_error() {
    let many: String = (0..11).map(|n| format!(" a:a{n}.example.net")).collect();
    for (records, says) in [
        (vec![], "has no SPF record"),
        (
            vec!["v=spf1 -all", "v=spf1 mx -all"],
            "has several SPF records",
        ),
        (
            vec!["v=spf1 ipv4:203.0.113.5 -all"],
            "has `ipv4:203.0.113.5`, which means nothing",
        ),
        (
            vec!["v=spf1 ip4:203.0.113 -all"],
            "has `ip4:203.0.113`, which means nothing",
        ),
        (
            vec!["v=spf1 include:nobody.example.net -all"],
            "includes nobody.example.net, which has none",
        ),
        (
            vec!["v=spf1 include:bounces.example.org -all"],
            "takes more than 10 look-ups",
        ),
        (vec!["v=spf1 +all"], "lets everybody send"),
        (
            vec![&*format!("v=spf1{many} -all")],
            "takes more than 10 look-ups",
        ),
    ] {
        let dns = with_relay();
        for record in &records {
            dns.text(DOMAIN, record);
        }
        let found = spf(&dns).await;
        assert_eq!(found[0].0, Level::Error, "{records:?}");
        assert!(found[0].1.contains(says), "{records:?}: {found:?}");
    }
}

#[tokio::test]
async fn a_relay_that_is_not_covered_and_a_server_that_fails_are_warnings() {
    let dns = with_relay();
    dns.text(DOMAIN, "v=spf1 ip4:203.0.113.5 -all");
    let found = spf(&dns).await;
    let last = found.last().unwrap();
    assert_eq!(last.0, Level::Warning);
    assert!(
        last.1
            .contains("does not cover smtp.example.net (2001:db8::5)"),
        "{last:?}"
    );
    dns.fails_at(DOMAIN);
    let found = spf(&dns).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, Level::Warning);
    assert!(
        found[0]
            .1
            .contains("the DNS does not answer for bounces.example.org")
    );
}

#[tokio::test]
async fn a_missing_record_is_written_out() {
    let dns = Dns::start();
    let sending = Sending {
        domain: DOMAIN,
        relays: vec![RELAY],
    };
    let found = super::sending(&names(&dns), &sending).await;
    assert_eq!(
        found[0].record.as_ref().unwrap().to_string(),
        "bounces.example.org. IN TXT \"v=spf1 a:smtp.example.net ~all\""
    );
}

#[tokio::test]
async fn the_names_of_a_relay_have_to_lead_back() {
    let dns = with_relay();
    dns.pointer("203.0.113.5", RELAY)
        .pointer("2001:db8::5", "elsewhere.example.net");
    let found = pointers(&names(&dns), &[RELAY, "127.0.0.1"]).await;
    let levels: Vec<Level> = found.iter().map(|one| one.level).collect();
    assert_eq!(levels, [Level::Ok, Level::Warning], "{found:?}");
    assert!(
        found[1]
            .what
            .contains("is elsewhere.example.net, which does not lead back")
    );
    dns.without(RELAY).address_of(RELAY, "203.0.113.9");
    let found = pointers(&names(&dns), &[RELAY]).await;
    assert!(
        found[0]
            .what
            .contains("(203.0.113.9) has no name of its own"),
        "{found:?}"
    );
    dns.without(RELAY);
    let found = pointers(&names(&dns), &[RELAY]).await;
    assert_eq!(found[0].level, Level::Error);
}

#[tokio::test]
async fn mail_to_our_domains_has_to_arrive_somewhere() {
    let dns = Dns::start();
    let domains = BTreeSet::from([DOMAIN]);
    let names = names(&dns);
    let found = exchanges(&names, &domains).await;
    assert_eq!(found[0].level, Level::Error);
    let other = Dns::start();
    let asked = super::Names::new(Some(other.address())).unwrap();
    other
        .exchange(DOMAIN, 20, "b.example.org")
        .exchange(DOMAIN, 10, "a.example.org");
    other.address_of("a.example.org", "203.0.113.1");
    let found = exchanges(&asked, &domains).await;
    assert!(
        found[0]
            .what
            .contains("names b.example.org, which has no address"),
        "{found:?}"
    );
    let whole = Dns::start();
    let asked = super::Names::new(Some(whole.address())).unwrap();
    whole
        .exchange(DOMAIN, 20, "b.example.org")
        .exchange(DOMAIN, 10, "a.example.org");
    whole
        .address_of("a.example.org", "203.0.113.1")
        .address_of("b.example.org", "203.0.113.2");
    let found = exchanges(&asked, &domains).await;
    assert_eq!(
        found[0],
        Finding::ok(
            Topic::Mx,
            "mail to bounces.example.org goes to a.example.org, b.example.org"
        )
    );
}

#[tokio::test]
async fn the_policy_is_found_above_and_a_bad_one_is_named() {
    let domains = Domains {
        from: "news.example.org",
        envelope: DOMAIN,
        signed: Some("example.org"),
    };
    for (at, record, level, says) in [
        (
            "_dmarc.news.example.org",
            "v=DMARC1; p=reject",
            Level::Ok,
            "says `reject`",
        ),
        (
            "_dmarc.example.org",
            "v=DMARC1;p=none;sp=quarantine",
            Level::Ok,
            "says `quarantine`",
        ),
        (
            "_dmarc.example.org",
            "v=DMARC1; p=none",
            Level::Ok,
            "only watches",
        ),
        (
            "_dmarc.example.org",
            "v=DMARC1; p=maybe",
            Level::Error,
            "has the policy `maybe`",
        ),
        (
            "_dmarc.example.org",
            "v=DMARC2; p=none",
            Level::Error,
            "has no DMARC record",
        ),
    ] {
        let dns = Dns::start();
        dns.text(at, record);
        let found = policy(&names(&dns), domains).await;
        assert_eq!(found[0].level, level, "{record}: {found:?}");
        assert!(found[0].what.contains(says), "{record}: {found:?}");
    }
    let dns = Dns::start();
    dns.text("_dmarc.example.org", "v=DMARC1; p=none")
        .text("_dmarc.example.org", "v=DMARC1; p=reject");
    let found = policy(&names(&dns), domains).await;
    assert!(found[0].what.contains("has 2 records"), "{found:?}");
}
