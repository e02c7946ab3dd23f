//! What the campaigns do, at any length: the suite runs short ones.

#![allow(
    dead_code,
    reason = "the suite runs some of them only, and prints no figures"
)]

pub(crate) mod disk;
mod figures;
pub(crate) mod kills;
pub(crate) mod order;
pub(crate) mod overlap;
pub(crate) mod power;
mod recording;
pub(crate) mod relay_deaths;
pub(crate) mod stops;
pub(crate) mod syscalls;
