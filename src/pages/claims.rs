//! Which page stands in which file: the first who asks has it.

use std::collections::HashSet;

use crate::domain::publication::is_feed_place;

/// Files that have a page.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: HashSet<String>,
    /// Folders of those files: no page can have their place.
    folders: HashSet<String>,
}

impl Claims {
    /// Whether the file was free; then it is taken. File systems that do not
    /// tell capitals apart must not lose a page.
    pub(super) fn take(&mut self, file: &str) -> bool {
        let file = file.to_lowercase();
        let folders = || file.match_indices('/').map(|(at, _)| &file[..at]);
        let is_free = !is_feed_place(&file)
            && !self.folders.contains(&file)
            && !folders().any(|folder| self.taken.contains(folder))
            && !self.taken.contains(&file);
        if is_free {
            self.folders.extend(folders().map(str::to_owned));
            self.taken.insert(file);
        }
        is_free
    }

    /// A file that nothing else may have.
    pub(super) fn fixed(&mut self, file: &str) -> String {
        self.taken.insert(file.to_owned());
        file.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_once_and_never_as_a_file_and_a_folder() {
        let mut claims = Claims::default();
        claims.fixed("style.css");
        for (file, is_free) in [
            ("a/index.html", true),
            ("A/index.html", false),
            ("a", false),
            ("a/index.html/index.html", false),
            ("style.css", false),
            ("style.css/index.html", false),
            ("rss.xml/index.html", false),
            ("tags/x/feed.json", false),
            ("archive/atom-0001.xml/index.html", false),
            ("old.html", true),
        ] {
            assert_eq!(claims.take(file), is_free, "{file}");
        }
    }
}
