//! Letterpress: from a folder of articles to feeds and inboxes.
//!
//! The layers, lowest first: [`domain`]; then what turns files into a
//! collection, a collection into feeds, an issue into messages and all of it
//! into a ledger. `design` in the repository's `docs/` tells the whole story.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
pub mod content;
pub mod domain;
