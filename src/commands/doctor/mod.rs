//! `doctor`: whether the world believes our mail, and whether this machine is
//! fit to send it. Changes nothing and sends nothing.

mod machine;
mod one_click;
mod page_certificate;
mod relays;

use std::{collections::BTreeSet, fmt::Write as _, net::SocketAddr};

use clap::Args;
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    freezing,
    talk::{Format, count},
    workspace,
};
use crate::{
    config::{
        Config,
        settings::{MailSettings, Relay},
    },
    doctor::{self, Domains, Finding, Level, Names, Sending, Topic},
    links::Signer,
    mail::dkim::{Keys, Record},
    store::Store,
};

/// Check DNS records, relays, one-click unsubscribe, clock, ledger, backup and disk
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress doctor
  letterpress -v doctor                       also what is as it should be
  letterpress doctor --resolver 9.9.9.9       ask this DNS server
  letterpress --format json doctor

Looks up SPF, DKIM, DMARC, MX and PTR records as receivers do, opens a session with each
relay (no mail is sent), asks `serve.public_url` as a mailbox provider would, and looks
at this machine. Each finding says what to do, with the exact record to publish.
docs/doctor.md explains them.

Exit codes: 0 nothing that gets mail refused (there may be warnings); 66 no
letterpress.toml; 78 an error stands.")]
pub struct Doctor {
    /// Ask this DNS server instead of the machine's: an address, port 53 unless one is given
    #[arg(long, value_name = "ADDR", value_parser = resolver)]
    resolver: Option<SocketAddr>,
}

fn resolver(raw: &str) -> Result<SocketAddr, String> {
    let alone = || raw.parse().map(|address| SocketAddr::new(address, 53));
    raw.parse()
        .or_else(|_| alone())
        .map_err(|_| format!("`{raw}` is no address such as `9.9.9.9` or `127.0.0.1:5353`"))
}

#[derive(Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// # Errors
/// When letterpress.toml cannot be read, has no `[mail]`, or the machine names
/// no DNS server.
pub async fn run(context: &Context, args: &Doctor) -> Result<Exit, Failure> {
    let (config, warnings) = workspace::configuration(context)?;
    for warning in warnings {
        context.talk.say(warning);
    }
    let settings = freezing::without_password(&config)?;
    let names = Names::new(args.resolver).map_err(|error| Failure::of(Exit::Config, &error))?;
    let store = workspace::existing_ledger(context, &config).await;
    // Each waits for others: all at once, and told in one order.
    let signer = store.as_ref().ok().and_then(Option::as_ref);
    let signer = signer.map(|store| Signer::new(store.install_key()));
    let (records, relays, page, ledger) = tokio::join!(
        records(&names, settings),
        relays::all(settings, context.clock.machine_time()),
        one_click::all(context, &config, signer.as_ref()),
        ledger(&config, &store),
    );
    let machine = machine::around(&config, store.as_ref().ok(), context.clock.machine_time());
    let mut findings = [records, relays, page, ledger, machine].concat();
    findings.sort_by_key(|finding| finding.topic);
    tell(context, &findings)
}

/// Everything that receivers look up.
async fn records(names: &Names, settings: &MailSettings) -> Vec<Finding> {
    let from = settings.from.address.domain();
    let envelope = settings.bounce_domain.as_deref().unwrap_or(from);
    let relays = hosts(settings);
    // Messages that go into a folder are nobody's yet.
    let sending = Sending {
        domain: envelope,
        relays: relays.clone(),
    };
    let signed = settings.dkim.as_ref().map(|dkim| dkim.domain.as_str());
    let domains = Domains {
        from,
        envelope,
        signed,
    };
    let mut mailboxes = BTreeSet::from([from, envelope]);
    if let Some(address) = &settings.list.unsubscribe_address {
        mailboxes.insert(address.domain());
    }
    let (spf, dkim, dmarc, mx, ptr) = tokio::join!(
        doctor::sending(names, &sending),
        signatures(names, settings),
        doctor::policy(names, domains),
        doctor::exchanges(names, &mailboxes),
        doctor::pointers(names, &relays),
    );
    [vec![doctor::free_mail(from)], spf, dkim, dmarc, mx, ptr].concat()
}

fn hosts(settings: &MailSettings) -> Vec<&str> {
    let all = settings.relays.iter();
    let hosts: BTreeSet<&str> = all
        .filter_map(|one| match &one.relay {
            Relay::Smtp(relay) => Some(relay.host.as_str()),
            Relay::Folder(_) => None,
        })
        .collect();
    hosts.into_iter().collect()
}

async fn signatures(names: &Names, settings: &MailSettings) -> Vec<Finding> {
    let Some(dkim) = &settings.dkim else {
        return vec![Finding::warning(
            Topic::Dkim,
            "messages are not signed here",
            "`letterpress dkim generate` makes a key and says what to publish; see docs/dkim.md",
        )];
    };
    let keys = match Keys::load(dkim) {
        Ok(keys) => keys,
        Err(error) => {
            let problem = Failure::of(Exit::Config, &error).problem("letterpress.toml".as_ref());
            let remedy = "`letterpress check` says more; `letterpress dkim generate` makes keys";
            return vec![Finding::error(Topic::Dkim, problem.what, remedy)];
        }
    };
    let records: Vec<Record> = keys.records().collect();
    doctor::signatures(names, &records).await
}

async fn ledger(config: &Config, store: &Result<Option<Store>, Failure>) -> Vec<Finding> {
    match store {
        Ok(store) => machine::ledger(config, store.as_ref()).await,
        Err(failure) => vec![machine::unusable(failure)],
    }
}

fn tell(context: &Context, findings: &[Finding]) -> Result<Exit, Failure> {
    let number = |level: Level| findings.iter().filter(|one| one.level == level).count();
    let report = Report {
        errors: number(Level::Error),
        warnings: number(Level::Warning),
        findings,
    };
    let least = match context.talk.is_verbose() {
        true => Level::Ok,
        false => Level::Warning,
    };
    context.talk.data(&report, || {
        let told = findings.iter().filter(|one| one.level >= least);
        told.map(lines).collect()
    })?;
    if context.talk.format == Format::Human {
        context.talk.say(format!(
            "{} as it should be, {}, {}",
            number(Level::Ok),
            count(report.warnings, "warning"),
            count(report.errors, "error")
        ));
    }
    Ok(match report.errors {
        0 => Exit::Done,
        _ => Exit::Config,
    })
}

fn lines(finding: &Finding) -> String {
    let mut text = format!(
        "{:<8} {:<9}  {}\n",
        finding.level.as_str(),
        finding.topic.as_str(),
        finding.what
    );
    let mut more = |word: &str, what: &str| {
        let _ = writeln!(text, "{:<18}  {word}: {what}", "");
    };
    if let Some(remedy) = &finding.remedy {
        more("do", remedy);
    }
    if let Some(record) = &finding.record {
        more("publish", &record.to_string());
    }
    text
}
