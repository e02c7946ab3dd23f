//! The one integration binary: a throw-away publication, real and scripted
//! SMTP servers, the reconciliation oracle, and the promises tested with them.
//!
//! A test builds its own world in a temporary directory, starts what it needs
//! on free loopback ports, and fails with everything one needs to see. A tool
//! that is missing fails the test; `tests/run` installs them all.

#![allow(
    clippy::unwrap_used,
    reason = "in a test an unwrap is an assertion; the panic names the line"
)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../campaign/scenarios/mod.rs"]
mod scenarios;

use harness::{
    chaos, cutter, dialogue, dice, dns, dovecot, greylist, ledger, line, mailbox, net, oracle,
    pgbouncer, picture, postfix, postgres, press, process, receipt, sink, tls_front, tools,
};

mod bounces;
mod cluster;
mod dkim;
mod html;
mod looks;
mod pages;
mod websub;

mod caching;
mod campaigns;
mod commands;
mod crash;
mod disk;
mod doctor;
mod first_run;
mod guards;
mod harness_selftest;
mod hostile;
mod letter_fields;
mod letter_links;
mod letter_pictures;
mod letter_spam;
mod overlap;
mod postfix_delivery;
mod postfix_interruptions;
mod preview;
mod publishing;
mod readers;
mod readme;
mod relay_faults;
mod relay_log;
mod retouching;
mod secrets;
mod serving;
mod volume;
