//! The endpoints at which providers tell of bounces, as they are set up.

use super::certificates::ses_hook;
use crate::{
    commands::exit::{Exit, Failure},
    config::{Config, secret},
    web::{Hooks, PostmarkHook},
};

/// The endpoints of `serve`. Connects to nobody yet.
///
/// # Errors
/// When the secret that Postmark has to send along cannot be read.
pub fn hooks(config: &Config) -> Result<Hooks, Failure> {
    let secret = config.postmark_secret_file.as_deref();
    let secret = secret.map(secret::password_file).transpose();
    let secret = secret.map_err(|error| {
        Failure::of(Exit::Config, &error).within("bounces.postmark_secret_file")
    })?;
    Ok(Hooks {
        ses: config.ses_topic.clone().map(ses_hook),
        postmark: secret.as_ref().map(PostmarkHook::new),
        hard_limit: config.hard_limit,
    })
}
