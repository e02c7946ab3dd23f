//! `mail.relay` and `[[mail.relays]]`: where messages go, through one server or
//! several with a share each.

use std::{net::IpAddr, num::NonZeroU32, path::Path, time::Duration};

use percent_encoding::percent_decode_str;
use toml::Spanned;
use url::Url;

use super::{
    findings::Findings,
    raw::{RawMail, RawRelay},
    settings::{Rate, Relay, RelaySettings, RelayTls, SmtpRelay},
};

/// Checks the relays; `None` when there is none that can be used. What one of
/// several does not set itself, `[mail]` sets for it.
pub(super) fn check(
    raw: &RawMail,
    root: &Path,
    findings: &mut Findings<'_>,
) -> Option<Vec<RelaySettings>> {
    let connections = findings.counted(raw.connections.as_ref(), "mail.connections", 10, 1..=200);
    let rate = rate(raw.rate.as_ref(), "mail.rate", findings);
    let files = Files {
        password: raw.password_file.as_deref(),
        authority: raw.tls_ca_file.as_deref(),
        root,
    };
    if raw.relays.is_empty() {
        findings.required(raw.relay.as_ref(), "mail.relay")?;
        let relay = relay(raw.relay.as_ref()?, "mail.relay", &files, findings);
        return Some(vec![RelaySettings {
            relay: relay?,
            weight: 1,
            connections: connections?,
            rate: rate?,
        }]);
    }
    if raw.relay.is_some() {
        findings.at(
            raw.relay.as_ref(),
            "both mail.relay and [[mail.relays]] say where messages go",
            "put the one of `relay` among the others as `url`",
        );
        return None;
    }
    let (connections, rate) = (connections?, rate?);
    let mut found: Vec<RelaySettings> = Vec::new();
    for one in &raw.relays {
        let settings = one_of_several(one, &files, connections, rate, findings)?;
        let name = settings.relay.to_string();
        if found.iter().any(|other| other.relay.to_string() == name) {
            let what = format!("mail.relays names {name} twice");
            findings.at(
                one.url.as_ref(),
                what,
                "give it once, with a greater weight",
            );
            return None;
        }
        found.push(settings);
    }
    Some(found)
}

/// The files of a login, as written, and the folder they are relative to.
struct Files<'r> {
    password: Option<&'r str>,
    authority: Option<&'r str>,
    root: &'r Path,
}

fn one_of_several(
    raw: &RawRelay,
    usual: &Files<'_>,
    connections: usize,
    usual_rate: Option<Rate>,
    findings: &mut Findings<'_>,
) -> Option<RelaySettings> {
    findings.required(raw.url.as_ref(), "mail.relays.url")?;
    let files = Files {
        password: raw.password_file.as_deref().or(usual.password),
        authority: raw.tls_ca_file.as_deref().or(usual.authority),
        root: usual.root,
    };
    let place = raw.url.as_ref()?;
    let relay = relay(place, "mail.relays.url", &files, findings)?;
    if matches!(relay, Relay::Folder(_)) {
        findings.at(
            Some(place),
            "a folder is one of several relays",
            "a folder stands alone: `relay = \"folder:outbox\"`",
        );
        return None;
    }
    let (key, bounds) = ("mail.relays.connections", 1..=200);
    let rate = match &raw.rate {
        Some(_) => rate(raw.rate.as_ref(), "mail.relays.rate", findings)?,
        None => usual_rate,
    };
    Some(RelaySettings {
        relay,
        weight: findings.counted(raw.weight.as_ref(), "mail.relays.weight", 1, 1..=1000)?,
        connections: findings.counted(raw.connections.as_ref(), key, connections, bounds)?,
        rate,
    })
}

fn relay(
    place: &Spanned<String>,
    key: &str,
    files: &Files<'_>,
    findings: &mut Findings<'_>,
) -> Option<Relay> {
    let text = place.get_ref().trim();
    if let Some(folder) = text.strip_prefix("folder:") {
        let folder = if folder.is_empty() { "outbox" } else { folder };
        return Some(Relay::Folder(files.root.join(folder)));
    }
    let parsed = smtp(text, key, files);
    let remedy = "use `folder:outbox`, `smtps://user@host:465`, \
                  `smtp://user@host:587?tls=required` or `smtp://127.0.0.1:25?tls=none`";
    findings
        .parsed(Some(place), parsed, remedy)
        .map(Relay::Smtp)
}

fn smtp(text: &str, key: &str, files: &Files<'_>) -> Result<SmtpRelay, String> {
    let shown = super::without_login(text);
    let url = Url::parse(text).map_err(|_| format!("{key} is `{shown}`"))?;
    if url.password().is_some() {
        return Err(format!(
            "{key} contains a password; put it into `password_file`"
        ));
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| format!("{key} `{shown}` names no host"))?
        .trim_matches(['[', ']'])
        .to_owned();
    let mut wanted = None;
    for (part, value) in url.query_pairs() {
        if part != "tls" {
            return Err(format!("{key} has an unknown part `{part}`"));
        }
        wanted = Some(value.into_owned());
    }
    let is_loopback = is_loopback(&host);
    let tls = match (url.scheme(), wanted.as_deref()) {
        ("smtps", None) => RelayTls::Implicit,
        ("smtp", None | Some("required")) => RelayTls::Required,
        ("smtp", Some("none")) if is_loopback => RelayTls::None,
        ("smtp", Some("none")) => {
            return Err(format!("{key} sends to `{host}` in plain text"));
        }
        _ => return Err(format!("{key} is `{shown}`")),
    };
    let login = percent_decode_str(url.username())
        .decode_utf8()
        .map_err(|_| format!("the login in {key} `{shown}` is not UTF-8"))?;
    if tls == RelayTls::None && !login.is_empty() {
        return Err(format!("{key} would send a login in plain text"));
    }
    Ok(SmtpRelay {
        port: url.port().unwrap_or(match tls {
            RelayTls::Implicit => 465,
            RelayTls::Required => 587,
            RelayTls::None => 25,
        }),
        login: (!login.is_empty()).then(|| login.into_owned()),
        password: None,
        password_file: files.password.map(|file| files.root.join(file)),
        tls_ca_file: files.authority.map(|file| files.root.join(file)),
        host,
        tls,
    })
}

/// Whether a host is this machine: nobody listens on the way there.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// `Some(None)` when absent, `None` when unusable.
fn rate(
    raw: Option<&Spanned<String>>,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<Option<Rate>> {
    let Some(text) = raw else {
        return Some(None);
    };
    let parsed = parse_rate(text.get_ref()).ok_or_else(|| format!("{key} is `{}`", text.get_ref()));
    let remedy = "write messages per time, such as \"20/s\", \"600/m\" or \"5000/h\"";
    findings.parsed(raw, parsed, remedy).map(Some)
}

fn parse_rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let per = match unit.trim() {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        "d" | "day" => 86_400,
        _ => return None,
    };
    Some(Rate {
        count: count.trim().parse::<NonZeroU32>().ok()?,
        per: Duration::from_secs(per),
    })
}
