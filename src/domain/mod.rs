//! The nouns of the field, as types that cannot be wrong once they exist.
//!
//! Pure: no clock, no files, no network. `now` is always an argument.

pub mod address;
pub mod article;
pub mod choice;
pub mod chronicle;
pub mod collection;
pub mod consent;
pub mod delivery;
pub mod digest;
pub mod fingerprint;
pub mod issue;
pub mod language;
pub mod media_type;
pub mod network;
pub mod podcast;
pub mod problem;
pub mod publication;
pub mod report;
pub mod schedule;
pub mod subscriber;
pub mod text;
pub mod theme;
pub mod wrap;
