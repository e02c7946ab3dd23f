//! Which server this is. A cluster has a number for life, and its physical copies
//! have the same one: a standby that takes over is the same server with a longer
//! history. A dump that is restored into another cluster is not.

use super::{Failure, Link};
use crate::store::beside::mark::Server;

/// The server's own name and history; `None` where this role may not know.
pub(in crate::store) fn identity(link: &Link) -> Result<Option<Server>, Failure> {
    let may = link.simple("SELECT has_function_privilege('pg_control_system()', 'execute')")?;
    if may.first().is_none_or(|(may, _)| may != "t") {
        return Ok(None);
    }
    let found = link.simple(
        "SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
           FROM pg_control_system()",
    )?;
    Ok(found.into_iter().next().and_then(|(cluster, timeline)| {
        Some(Server {
            cluster,
            timeline: u32::from_str_radix(&timeline, 16).ok()?,
        })
    }))
}
