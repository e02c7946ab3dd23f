//! HTTP for people, bounded in time and number, with all in every answer that
//! keeps a browser safe: the preview, which is for this machine alone and whose
//! answers the caller gives; and the pages of readers and the files of the
//! publication, which are for the world.

mod accept;
mod answer;
mod gate;
mod guard;
mod live;
mod readers;
mod server;
mod serving;

pub use answer::{Answer, Asked, Trust};
pub use guard::FORMS;
pub use live::{EVENTS, script};
pub use readers::{
    hooks::{Fetch, Hooks, PostmarkHook, SesHook},
    snippet,
};
pub use server::{Site, listen, serve};
pub use serving::{Serving, check_templates, serve_readers};
