//! What a build did to its output folder.

use serde::Serialize;

use crate::commands::{
    Context,
    exit::{Exit, Failure},
    talk::count,
};

/// What a build did to its output folder. Compressed copies are not counted:
/// they come and go with their originals.
#[derive(Debug, Default, Serialize)]
pub struct Built {
    /// New files, relative to the output folder.
    pub created: Vec<String>,
    /// Files with new bytes.
    pub changed: Vec<String>,
    /// Files that were taken away since nothing makes them any more.
    pub removed: Vec<String>,
    /// How many files stayed as they were.
    pub unchanged: usize,
    /// Files that nothing makes any more but that somebody else has changed
    /// since: they stay.
    pub left_alone: Vec<String>,
    /// Files of others that stand where one of ours should: they stay.
    pub in_the_way: Vec<String>,
}

/// So many names are said; the rest is counted.
const NAMED: usize = 10;

impl Built {
    /// Whether nothing was written or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// Adds what a second pass over the same folder did.
    pub fn add(&mut self, later: Self) {
        self.created.extend(later.created);
        let is_new = |name: &String| self.created.contains(name);
        let known: Vec<String> = later.changed.into_iter().filter(|n| !is_new(n)).collect();
        self.changed.extend(known);
        self.changed.sort_unstable();
        self.changed.dedup();
        self.removed.extend(later.removed);
        self.unchanged = later.unchanged;
        self.left_alone = later.left_alone;
        self.in_the_way = later.in_the_way;
    }

    /// One line: how much of what.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{}, {} changed, {} unchanged",
            count(self.created.len(), "new file"),
            self.changed.len(),
            self.unchanged
        );
        if !self.removed.is_empty() {
            line.push_str(&format!(", {} removed", self.removed.len()));
        }
        line
    }

    /// What was done, one file a line.
    #[must_use]
    pub fn lines(&self) -> String {
        let kinds = [
            ("new", &self.created),
            ("changed", &self.changed),
            ("removed", &self.removed),
        ];
        let lines: Vec<String> = kinds
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind:<8} {name}")))
            .collect();
        lines.join("\n")
    }

    /// Says what belongs to somebody else, and what that means for the exit
    /// code: 65 while a file of ours could not be published.
    #[must_use]
    pub fn tell_foreign(&self, context: &Context) -> Exit {
        if !self.left_alone.is_empty() {
            context.talk.must_say(format!(
                "left alone, since they were changed by someone else: {}; remove them if nobody \
                 needs them",
                named(&self.left_alone)
            ));
        }
        if self.in_the_way.is_empty() {
            return Exit::Done;
        }
        let what = format!(
            "not published, since files of someone else stand in their places: {}",
            named(&self.in_the_way)
        );
        context.talk.must_say(
            Failure::new(Exit::Data, what)
                .hint("move them away, or replace them with `letterpress build --overwrite`"),
        );
        Exit::Data
    }
}

fn named(names: &[String]) -> String {
    let shown = &names[..names.len().min(NAMED)];
    let mut text = shown.join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}
