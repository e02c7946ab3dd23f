//! The list from the command line: lists of other programs, parts of the list,
//! what a person may ask for, and that nothing is left of who is erased.

mod erasing;
mod lists;
