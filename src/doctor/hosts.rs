//! Where bounces and answers go, and the names of the relays' addresses.

use std::collections::BTreeSet;

use super::{
    finding::{Finding, Topic},
    names::{Names, Unanswered},
    spf::is_outside,
};

/// Whether mail to these domains arrives anywhere (RFC 5321 5.1).
pub async fn exchanges(names: &Names, domains: &BTreeSet<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    for domain in domains {
        found.push(exchange(names, domain).await);
    }
    found
}

async fn exchange(names: &Names, domain: &str) -> Finding {
    let remedy = "publish an MX record that names the server of its mailboxes: bounces and \
                  answers are lost without one";
    match names.exchanges(domain).await {
        Ok(hosts) if hosts.iter().all(|host| host == ".") => Finding::error(
            Topic::Mx,
            format!("{domain} says that it takes no mail at all (null MX)"),
            remedy,
        ),
        Ok(hosts) => {
            let mut dead = Vec::new();
            for host in &hosts {
                if names.addresses(host).await == Err(Unanswered::Nothing) {
                    dead.push(host.as_str());
                }
            }
            match dead.is_empty() {
                true => Finding::ok(
                    Topic::Mx,
                    format!("mail to {domain} goes to {}", hosts.join(", ")),
                ),
                false => Finding::error(
                    Topic::Mx,
                    format!("{domain} names {}, which has no address", dead.join(", ")),
                    "take it out, or give it an A record",
                ),
            }
        }
        Err(Unanswered::Away(why)) => Finding::unasked(Topic::Mx, domain, &why),
        Err(Unanswered::Nothing) => match names.addresses(domain).await {
            Ok(_) => Finding::warning(
                Topic::Mx,
                format!("{domain} has no MX record: mail to it goes to its own address"),
                remedy,
            ),
            Err(_) => Finding::error(
                Topic::Mx,
                format!("{domain} has neither an MX record nor an address"),
                remedy,
            ),
        },
    }
}

/// Whether the addresses of the relays have names that lead back to them
/// (RFC 1912 2.1), which receivers want of those who hand them mail.
pub async fn pointers(names: &Names, relays: &[&str]) -> Vec<Finding> {
    let mut found = Vec::new();
    for relay in relays {
        let addresses = match names.addresses(relay).await {
            Ok(addresses) => addresses,
            Err(Unanswered::Nothing) => {
                found.push(Finding::error(
                    Topic::Ptr,
                    format!("{relay} has no address"),
                    "see `mail.relay` in letterpress.toml",
                ));
                continue;
            }
            Err(Unanswered::Away(why)) => {
                found.push(Finding::unasked(Topic::Ptr, relay, &why));
                continue;
            }
        };
        for address in addresses.into_iter().filter(is_outside) {
            let name = format!("{relay} ({address})");
            found.push(match names.pointers(address).await {
                Ok(back) => leads_back(names, &name, address, &back).await,
                Err(Unanswered::Nothing) => Finding::warning(
                    Topic::Ptr,
                    format!("{name} has no name of its own"),
                    "if mail leaves from this address, ask whoever gives you it for a PTR record",
                ),
                Err(Unanswered::Away(why)) => Finding::unasked(Topic::Ptr, &name, &why),
            });
        }
    }
    found
}

async fn leads_back(
    names: &Names,
    what: &str,
    address: std::net::IpAddr,
    back: &[String],
) -> Finding {
    for name in back {
        if names
            .addresses(name)
            .await
            .is_ok_and(|known| known.contains(&address))
        {
            return Finding::ok(Topic::Ptr, format!("{what} is {name}, and that leads back"));
        }
    }
    Finding::warning(
        Topic::Ptr,
        format!(
            "{what} is {}, which does not lead back to it",
            back.join(", ")
        ),
        "give that name an A record with this address (FCrDNS), if mail leaves from there",
    )
}
