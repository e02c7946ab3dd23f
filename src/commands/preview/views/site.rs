//! The website in frames as wide as a screen and a phone.

use serde::Serialize;

use super::{
    super::{
        proof::Proof,
        routes::HOME,
        ui::{self, Place},
    },
    article::Frame,
};
use crate::web::{Answer, Asked};

#[derive(Serialize)]
struct View {
    frame: Option<Frame>,
    base_path: String,
    base_url: String,
}

/// The page.
pub(in super::super) fn show(proof: &Proof, asked: &Asked) -> Answer {
    let config = &proof.press.config;
    let base = &config.publication.base_url;
    let here = format!("{HOME}site/?");
    let view = View {
        frame: config
            .content
            .pages
            .then(|| Frame::of(base.path(), &here, asked)),
        base_path: base.path().to_owned(),
        base_url: base.to_string(),
    };
    ui::page(proof, "site.html", (Some(Place::Site), "Site"), &view)
}
