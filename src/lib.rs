//! Letterpress: from a folder of articles to feeds and inboxes.
//!
//! The layers, lowest first: [`domain`]; then what turns files into a
//! collection, a collection into feeds, an issue into messages and all of it
//! into a ledger; then the outbox that drains the ledger, and the commands.
//! `docs/architecture.md` in the repository tells the whole story.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::duplicate_mod,
        reason = "an unwrap is an assertion; one contract is run against two engines"
    )
)]

pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod content;
pub mod doctor;
pub mod domain;
pub mod feed;
pub mod files;
pub mod inbound;
pub mod links;
pub mod mail;
pub mod moment;
pub mod outbox;
pub mod pages;
pub mod scaling;
pub mod store;
pub mod templates;
pub mod web;
pub mod websub;
