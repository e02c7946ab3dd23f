//! `subscribers suppress` and `erase`: readers who must not be written to, and
//! readers of whom nothing may be left.

use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        talk::count,
        workspace,
    },
    config::Config,
    domain::{address::EmailAddress, subscriber::Status},
    store::SuppressionReason,
};

/// Sees to it that an address, known or not, is never written to again.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn suppress(
    context: &Context,
    config: &Config,
    address: &EmailAddress,
) -> Result<Exit, Failure> {
    let store = workspace::ledger(context, config).await?;
    let reason = SuppressionReason::Request;
    let outcome = store
        .suppress(address, reason, "command line", context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    let mut line = match outcome.was {
        Some(was) if was != Status::Active => format!("was {was}; never written to again"),
        Some(_) => "never written to again".to_owned(),
        None => "not on the list; never written to".to_owned(),
    };
    line.push_str(&cancelled(outcome.cancelled_deliveries));
    context.talk.say(line);
    Ok(Exit::Done)
}

/// Removes everything of a reader but a keyed hash. Doing it again changes
/// nothing.
///
/// # Errors
/// Exit 66 for an address of which nothing is known, or when the ledger cannot
/// be written.
pub(super) async fn erase(
    context: &Context,
    config: &Config,
    address: &EmailAddress,
) -> Result<Exit, Failure> {
    let store = workspace::ledger(context, config).await?;
    let erased = store
        .erase(address.into(), "command line", context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    if erased.was.is_none() && !erased.was_erased {
        return Err(super::nobody(address));
    }
    let mut line = match erased.was {
        Some(_) => "erased".to_owned(),
        None => "was erased already".to_owned(),
    };
    line.push_str(&cancelled(erased.cancelled_deliveries));
    if erased.in_flight > 0 {
        line.push_str(&format!("; {} in flight will finish", erased.in_flight));
    }
    context.talk.say(line);
    if !erased.is_wiped {
        context.talk.must_say(
            "the ledger's files cannot be wiped while another process reads them: the next run \
             does it, or this command once more",
        );
        return Ok(Exit::Temporary);
    }
    context.talk.say(
        "copies made by `store backup`, files of a folder relay and the logs of mail servers are \
         beyond its reach",
    );
    Ok(Exit::Done)
}

fn cancelled(deliveries: u64) -> String {
    match deliveries {
        0 => String::new(),
        some => format!("; {} cancelled", count(some, "queued delivery")),
    }
}
