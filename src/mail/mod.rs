//! An issue becomes an edition, an edition becomes messages.
//!
//! [`render`] runs once per issue: templates, styles, encoding. What comes out
//! is an [`Edition`] of fixed pieces and slots, and filling the slots is all
//! that happens per message. [`smtp`] takes them to a relay.

mod anew;
mod budget;
mod context;
pub mod dkim;
mod edition;
mod finish;
mod inventory;
mod linking;
pub mod lint;
mod message;
mod mime;
mod notice;
mod opening;
mod pictures;
mod rehearsal;
mod render;
mod slot;
pub mod smtp;
mod styling;
mod tags;
mod web;

pub use self::{
    budget::{LeadRule, Shortened},
    edition::{Edition, EditionError},
    inventory::{Inventory, inventory},
    message::{Addressed, Composer, Message},
    mime::WireError,
    notice::{CONFIRM_HOURS, Notice, NoticeInput, render_notice},
    pictures::{Inline, PICTURE_FOLDER, Pictures, Role, Shown, fitted, pictures_in},
    rehearsal::{check_notices, check_templates, made_up_issue},
    render::{IssueInput, RenderError, Rendered, render, subject_line},
    slot::{BrokenMark, Place, Slot, SlotUse},
    web::{Everybody, LETTER_CLASS, WebEdition},
};

#[cfg(test)]
mod tests;
