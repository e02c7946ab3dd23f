//! Whether readers can leave with one click (RFC 8058), asked as a mailbox
//! provider asks; and what time the server of that page has.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ureq::{Agent, http::Response};
use url::Url;

use super::page_certificate;
use crate::{
    client,
    commands::Context,
    config::Config,
    doctor::{Finding, Topic},
    domain::subscriber::SubscriberId,
    links::{DigestTag, Payload, Purpose, Signer},
};

/// Providers wait no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than this and signatures and dates look wrong.
const MUCH: TimeDelta = TimeDelta::seconds(60);

/// What the page answered.
struct Answer {
    status: u16,
    date: Option<DateTime<Utc>>,
    body: String,
}

pub(super) async fn all(
    context: &Context,
    config: &Config,
    signer: Option<&Signer>,
) -> Vec<Finding> {
    let Some(base) = config.serve.public_url.clone() else {
        return vec![Finding::warning(
            Topic::OneClick,
            "there is no `serve.public_url`: readers can leave by mail only",
            "set it to the https address of `letterpress serve`: Gmail and Yahoo want one click",
        )];
    };
    // A true token of a reader who does not exist, and one of nobody: a server
    // with the right key answers both alike, and nobody leaves.
    let digest = config.digests.first().map(|digest| &digest.name);
    let token = signer.zip(digest).map(|(signer, name)| {
        let nobody = Payload::Reader {
            subscriber: SubscriberId([0; 16]),
            digest: DigestTag::of(name),
        };
        signer.token(Purpose::Unsubscribe, &nobody)
    });
    let token = token.unwrap_or_else(|| "v1.none".to_owned());
    let page = base.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&page, &token));
    let now = context.clock.machine_time();
    let (asked, ending) = tokio::join!(asked, page_certificate::ending(&base, now));
    let mut found = asked.map_or_else(|_| Vec::new(), |asked| judged(context, config, asked));
    found.extend(ending);
    found
}

type Asked = Result<(Answer, Answer), String>;

fn ask(base: &Url, token: &str) -> Asked {
    let agent: Agent = client::agent(base.scheme(), PATIENCE / 2, PATIENCE);
    let page = format!("{base}unsubscribe/{token}");
    let failed = |error: ureq::Error| client::phrase(&error);
    let get = agent.get(&page).call().map_err(failed)?;
    let post = agent
        .post(&page)
        .content_type("application/x-www-form-urlencoded")
        .send("List-Unsubscribe=One-Click")
        .map_err(failed)?;
    Ok((read(get), read(post)))
}

fn read(mut response: Response<ureq::Body>) -> Answer {
    let date = response.headers().get("date");
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    Answer {
        status: response.status().as_u16(),
        date: date.map(|date| date.to_utc()),
        body: response.body_mut().read_to_string().unwrap_or_default(),
    }
}

fn judged(context: &Context, config: &Config, asked: Asked) -> Vec<Finding> {
    let url = config.serve.public_url.as_ref();
    let url = url.map(ToString::to_string).unwrap_or_default();
    let error = |what: String, remedy: &str| Finding::error(Topic::OneClick, what, remedy);
    let (get, post) = match asked {
        Ok(answers) => answers,
        Err(why) => {
            return vec![error(
                format!("{url} does not answer: {why}"),
                "start `letterpress serve` and the proxy that does TLS before it; see docs/serving.md",
            )];
        }
    };
    let remedy =
        "let the proxy hand every path below it to `letterpress serve`, without a redirect";
    let mut found = vec![match (get.status, post.status) {
        (200, 200) if get.body.contains("<form") => Finding::ok(
            Topic::OneClick,
            format!("{url} lets readers leave with one click"),
        ),
        (200, 200) => error(format!("{url} shows a page that is not ours"), remedy),
        (200, other) => error(format!("{url} answers one click with {other}"), remedy),
        (other, _) => error(
            format!("{url} answers the link to leave with {other}"),
            remedy,
        ),
    }];
    found.extend(
        post.date
            .map(|theirs| clock(context.clock.machine_time(), theirs)),
    );
    found
}

fn clock(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Finding {
    let apart = (ours - theirs).abs();
    let seconds = apart.num_seconds();
    match apart > MUCH {
        true => Finding::error(
            Topic::Clock,
            format!("this machine and the server of readers’ pages are {seconds} s apart"),
            "let a time service (chrony, systemd-timesyncd) set the clocks of both",
        ),
        false => Finding::ok(Topic::Clock, "this machine has the time that others have"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_minute_is_too_much() {
        let now: DateTime<Utc> = "2026-11-28T08:00:00Z".parse().unwrap();
        for (seconds, level) in [
            (0, Level::Ok),
            (-60, Level::Ok),
            (61, Level::Error),
            (-90, Level::Error),
        ] {
            let found = clock(now, now + TimeDelta::seconds(seconds));
            assert_eq!(found.level, level, "{seconds}");
        }
    }
}
