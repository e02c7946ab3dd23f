//! The content folder on disk: which files there are, and their text.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{MAIN_SEPARATOR, Path},
};

use walkdir::WalkDir;

use crate::{domain::problem::Problem, files::Stamp};

/// Every file of the content folder, by path in it with `/`.
#[derive(Debug, Default)]
pub(in crate::content) struct Files {
    /// Markdown, in the order of their paths.
    pub(in crate::content) markdown: Vec<String>,
    /// Everything else.
    pub(in crate::content) others: HashSet<String>,
    /// Folders and links that were not read.
    pub(in crate::content) problems: Vec<Problem>,
}

/// Lists the folder. Hidden files and what an editor leaves behind are passed
/// over; symbolic links are not followed, so that nothing outside is published.
///
/// # Errors
/// When the folder itself cannot be read.
pub(in crate::content) fn list(folder: &Path, dir: &Path) -> io::Result<Files> {
    std::fs::read_dir(folder)?;
    let mut files = Files::default();
    let walk = WalkDir::new(folder).min_depth(1).into_iter();
    for entry in walk.filter_entry(|entry| !is_hidden(&entry.file_name().to_string_lossy())) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let place = error.path().and_then(|path| path.strip_prefix(folder).ok());
                let reason = error
                    .io_error()
                    .map_or("a loop of links".to_owned(), ToString::to_string);
                files.problems.push(Problem::error(
                    dir.join(place.unwrap_or(Path::new(""))),
                    None,
                    format!("cannot be read: {reason}"),
                    "give yourself the right to read it, or remove it",
                ));
                continue;
            }
        };
        let Ok(place) = entry.path().strip_prefix(folder) else {
            continue;
        };
        if entry.file_type().is_symlink() {
            files.problems.push(Problem::warning(
                dir.join(place),
                None,
                "is a symbolic link, which is not followed",
                "put the file or folder itself there",
            ));
        } else if entry.file_type().is_file() {
            files.add(place, dir);
        }
    }
    files.markdown.sort();
    Ok(files)
}

impl Files {
    fn add(&mut self, place: &Path, dir: &Path) {
        let Some(path) = place.to_str().map(with_slashes) else {
            self.problems.push(Problem::error(
                dir.join(place),
                None,
                "the file name is not UTF-8",
                "rename it",
            ));
            return;
        };
        if is_markdown(Path::new(&path)) {
            self.markdown.push(path);
        } else if path.contains('\\') {
            // Some servers and browsers take it for the end of a folder's name.
            self.problems.push(Problem::warning(
                dir.join(place),
                None,
                "the file name has a backslash, so the file cannot be published",
                "rename it",
            ));
        } else {
            self.others.insert(path);
        }
    }
}

/// Whether a file of the content folder is an article, or the front page of a
/// section.
#[must_use]
pub fn is_markdown(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "md" || end == "markdown")
}

/// A path of this system with `/` between its parts.
fn with_slashes(path: &str) -> String {
    match MAIN_SEPARATOR {
        '/' => path.to_owned(),
        other => path.replace(other, "/"),
    }
}

/// Whether a file or folder is passed over.
pub(in crate::content) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~')
}

/// Reads a file, and what its entry said before that.
pub(in crate::content) fn read(path: &Path, source: &Path) -> Result<(Vec<u8>, Stamp), Problem> {
    let read = || {
        let file = File::open(path)?;
        let facts = file.metadata()?;
        let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or_default() + 1);
        // As a reader of unknown length: the standard library would ask the
        // system once more for what the line above asked.
        file.take(u64::MAX).read_to_end(&mut bytes)?;
        Ok((bytes, Stamp::of(&facts)))
    };
    read().map_err(|error: io::Error| {
        let remedy = "give yourself the right to read it, or remove it";
        Problem::error(source, None, format!("cannot be read: {error}"), remedy)
    })
}

/// The text of a file: UTF-8 with or without a byte order mark; line ends
/// become `\n`.
pub(in crate::content) fn text(bytes: Vec<u8>, source: &Path) -> Result<String, Problem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::error(
            source,
            line_at(error.as_bytes(), at),
            format!("the text is not UTF-8 at byte {at}"),
            "save the file as UTF-8",
        )
    })?;
    let text = match text.strip_prefix('\u{FEFF}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    Ok(if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    })
}

/// Takes NUL characters out of `text`, which no format can carry, and says so.
pub(in crate::content) fn without_nul(text: &mut String, source: &Path) -> Option<Problem> {
    let at = text.find('\0')?;
    let line = line_at(text.as_bytes(), at);
    text.retain(|c| c != '\0');
    Some(Problem::warning(
        source,
        line,
        "there is a NUL character, which is left out",
        "remove it; a text file has none",
    ))
}

fn line_at(bytes: &[u8], offset: usize) -> u32 {
    let ends = bytes[..offset]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    u32::try_from(ends).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<String, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::write(&path, bytes).unwrap();
        let source = Path::new("content/a.md");
        let (bytes, stamp) = read(&path, source)?;
        assert_eq!(stamp.size, bytes.len() as u64);
        text(bytes, source)
    }

    #[test]
    fn byte_order_marks_and_foreign_line_ends_do_not_matter() {
        assert_eq!(read_bytes(b"\xEF\xBB\xBFa\r\nb\rc\n").unwrap(), "a\nb\nc\n");
    }

    #[test]
    fn a_file_that_is_no_text_says_where() {
        let problem = read_bytes(b"a\nb\xFFc").unwrap_err();
        assert_eq!(problem.line, Some(2));
        assert!(problem.what.contains("byte 3"), "{problem}");
    }

    #[test]
    fn a_nul_is_left_out_and_told() {
        let mut text = read_bytes(b"a\n\nb\0c\0").unwrap();
        let problem = without_nul(&mut text, Path::new("content/a.md")).unwrap();
        assert_eq!((text.as_str(), problem.line), ("a\n\nbc", Some(3)));
        assert!(without_nul(&mut text, Path::new("content/a.md")).is_none());
    }

    #[test]
    fn the_list_is_ordered_and_leaves_out_what_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/a.md",
            "a.md",
            "b/.git/x.md",
            "b/p.jpg",
            ".hidden.md",
            "a.md~",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let files = list(dir.path(), Path::new("content")).unwrap();
        assert_eq!(files.markdown, ["a.md", "b/a.md"]);
        assert_eq!(files.others, HashSet::from(["b/p.jpg".to_owned()]));
        assert!(list(&dir.path().join("none"), Path::new("content")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_no_address_can_name_is_told_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a\\b.png"), "x").unwrap();
        let files = list(dir.path(), Path::new("content")).unwrap();
        assert!(files.others.is_empty());
        let [problem] = &files.problems[..] else {
            panic!("one problem, not {:?}", files.problems)
        };
        assert!(!problem.is_error() && problem.what.contains("backslash"));
        assert_eq!(problem.file, Path::new("content/a\\b.png"));
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_reported_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.md"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).unwrap();
        let files = list(dir.path(), Path::new("content")).unwrap();
        assert!(files.markdown.is_empty());
        assert_eq!(files.problems[0].file, Path::new("content/out"));
    }
}
