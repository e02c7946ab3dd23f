//! Between the world and the pages of readers: who asks, how often, how much,
//! how slowly.

pub(super) mod body;
pub(super) mod peer;
pub(super) mod rates;
pub(super) mod server;
mod stall;
pub(super) mod tally;
pub(super) mod window;
