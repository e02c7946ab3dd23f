//! Which page stands in which file: the first who asks has it.

use std::collections::HashSet;

/// Files that have a page.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: HashSet<String>,
}

impl Claims {
    /// Whether the file was free; then it is taken. File systems that do not
    /// tell capitals apart must not lose a page.
    pub(super) fn take(&mut self, file: &str) -> bool {
        self.taken.insert(file.to_lowercase())
    }

    /// A file that nothing else may have.
    pub(super) fn fixed(&mut self, file: &str) -> String {
        self.taken.insert(file.to_owned());
        file.to_owned()
    }
}
