//! From an issue to the wire: rendering, encoding, and the SMTP session.

pub mod smtp;
