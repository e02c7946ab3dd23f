//! `letterpress.toml` as typed settings.

pub mod settings;
