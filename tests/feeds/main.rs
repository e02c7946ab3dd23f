//! Feeds of a hostile publication, read back by parsers and readers that are
//! not ours.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "test code")]

mod hostile;

use letterpress::domain::publication::FeedContent;
use letterpress::feed::Stream;

#[test]
fn dump() {
    let w = hostile::world("https://magazine.example.org/", FeedContent::Full);
    for f in w.files(&Stream::Whole) {
        std::fs::write(format!("/tmp/dump-{}", f.path), f.bytes).unwrap();
    }
}
