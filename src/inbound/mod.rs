//! What comes back from the world about messages that left: evidence of what
//! became of them.

pub mod postfix_log;
