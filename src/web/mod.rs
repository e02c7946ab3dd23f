//! HTTP for people: a server that is bound to this machine, bounded in time and
//! number, and adds to every answer what keeps a browser safe. What is answered
//! is given by the caller.

mod answer;
mod guard;
mod live;
mod server;

pub use answer::{Answer, Asked, Trust};
pub use guard::FORMS;
pub use live::{EVENTS, script};
pub use server::{Site, listen, serve};
