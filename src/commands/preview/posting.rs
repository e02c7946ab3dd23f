//! "Send me this": the one thing a preview does because a page asked for it.

use serde::Serialize;
use tokio::runtime::Handle;

use super::{
    super::{Context, send},
    proof::Proof,
    routes::HOME,
    ui::{self, Place},
};
use crate::{
    domain::{address::EmailAddress, digest::Digest},
    web::{Answer, Asked},
};

/// What became of it.
#[derive(Serialize)]
struct Sent {
    heading: &'static str,
    what: String,
    is_bad: bool,
    back: String,
}

/// The fields of the form.
struct Form {
    token: String,
    digest: String,
    kind: String,
    address: String,
}

impl Form {
    fn read(fields: &str) -> Self {
        let value = |name: &str| {
            let mut fields = url::form_urlencoded::parse(fields.as_bytes());
            let found = fields.find(|(known, _)| known == name);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        Self {
            token: value("token"),
            digest: value("digest"),
            kind: value("kind"),
            address: value("address"),
        }
    }
}

/// Sends a test as `send --test` does, where the form comes from a page of
/// this preview: only those know its token.
pub(super) fn answer(context: &Context, proof: &Proof, asked: &Asked) -> Answer {
    let form = Form::read(asked.form.as_deref().unwrap_or_default());
    let press = &proof.press;
    let Some(digest) = press.config.digest(&form.digest) else {
        return ui::not_here(proof, "letterpress.toml has no digest of this name");
    };
    let back = format!("{HOME}issue/{}/", digest.name);
    let sent = if form.token == proof.token() {
        match send_to(context, proof, digest, &form) {
            Ok(to) => Sent {
                heading: "Sent",
                what: format!("The test went to {to}; the ledger stays as it was."),
                is_bad: false,
                back,
            },
            Err(what) => Sent {
                heading: "Not sent",
                what,
                is_bad: true,
                back,
            },
        }
    } else {
        Sent {
            heading: "Not sent",
            what: "the form is of another preview; open the issue again".to_owned(),
            is_bad: true,
            back,
        }
    };
    let status = if sent.is_bad { 422 } else { 200 };
    let title = (Some(Place::Issues), sent.heading);
    ui::page(proof, "sent.html", title, &sent).status(status)
}

fn send_to(
    context: &Context,
    proof: &Proof,
    digest: &Digest,
    form: &Form,
) -> Result<String, String> {
    let address = EmailAddress::international(form.address.trim());
    let address = address.map_err(|error| error.to_string())?;
    let press = &proof.press;
    let in_kind = Digest {
        template: match press.templates.has_kind(&form.kind) {
            true => form.kind.clone(),
            false => digest.template.clone(),
        },
        ..digest.clone()
    };
    let to = address.expose().to_owned();
    // Pages are answered where waiting is allowed.
    let addresses = [address];
    let sending = send::test(context, &press.config, &in_kind, &addresses);
    let sent = Handle::current().block_on(sending);
    sent.map(|_| to).map_err(|failure| failure.to_string())
}
