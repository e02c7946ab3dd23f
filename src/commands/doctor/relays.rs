//! Whether each relay lets us in, over a way that nobody else can read.

use chrono::{DateTime, Utc};
use futures_util::future;

use crate::{
    config::settings::{MailSettings, Relay, RelaySettings, RelayTls, SmtpRelay},
    doctor::{Finding, Topic, about_to_end},
    mail::smtp::{Dialer, Trouble},
};

/// Asks all of them at once: one that does not answer takes its time.
pub(super) async fn all(settings: &MailSettings, now: DateTime<Utc>) -> Vec<Finding> {
    let mut settings = settings.clone();
    let password = settings.read_password();
    if let Err(error) = password {
        let remedy = "docs/configuration.md says where a password may stand";
        return vec![Finding::error(Topic::Relay, error.to_string(), remedy)];
    }
    let asked = settings.relays.iter().map(|one| relay(one, &settings, now));
    future::join_all(asked).await.concat()
}

async fn relay(one: &RelaySettings, settings: &MailSettings, now: DateTime<Utc>) -> Vec<Finding> {
    match &one.relay {
        Relay::Folder(_) => vec![Finding::warning(
            Topic::Relay,
            format!("{} keeps messages as files: nobody gets mail", one.relay),
            "name an SMTP server in `mail.relay` when you want to send",
        )],
        Relay::Smtp(smtp) => session(&one.relay.to_string(), smtp, settings, now).await,
    }
}

async fn session(
    name: &str,
    relay: &SmtpRelay,
    settings: &MailSettings,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let dialer = match Dialer::new(relay.clone(), &settings.hello_name, settings.timeouts) {
        Ok(dialer) => dialer,
        Err(error) => {
            return vec![Finding::error(
                Topic::Relay,
                error.to_string(),
                "`letterpress check` says more",
            )];
        }
    };
    match dialer.open().await {
        Ok(session) => {
            let certificate = session.certificate();
            session.quit().await;
            let way = match relay.tls {
                RelayTls::None => "in plain text, on this machine",
                RelayTls::Implicit | RelayTls::Required => {
                    "over TLS, with a certificate of its name"
                }
            };
            let login = match &relay.login {
                Some(_) => ", and the login works",
                None => "",
            };
            let mut found = vec![Finding::ok(
                Topic::Relay,
                format!("{name} answers {way}{login}"),
            )];
            let ending = certificate.and_then(|der| about_to_end(Topic::Relay, name, &der, now));
            found.extend(ending);
            found
        }
        Err(trouble) => vec![Finding::error(
            Topic::Relay,
            format!("{name}: {trouble}"),
            remedy(&trouble),
        )],
    }
}

fn remedy(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Identity(_) => {
            "write the host as its certificate has it; `mail.tls_ca_file` trusts a certificate of your own"
        }
        Trouble::NoLogin(_) => {
            "ask its operator how to log in; only PLAIN and LOGIN over TLS are used"
        }
        Trouble::Refused { .. } => {
            "its words say why; the login and password are as its operator gave them?"
        }
        _ => "see that it runs and that the firewall lets this machine through",
    }
}
