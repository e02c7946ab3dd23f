//! A publication on disk, built by the program itself at the times a test says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::tree::Node;

/// A publication with its output.
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    /// An empty publication under `base_url`; `feeds` stands in `[feeds]`.
    pub(crate) fn new(base_url: &str, feeds: &str) -> Self {
        let folder = Self {
            dir: TempDir::new().unwrap(),
        };
        let config = format!(
            "[publication]\ntitle = \"The Bean\"\ndescription = \"On beans\"\n\
             base_url = \"{base_url}\"\nlanguage = \"en\"\ntimezone = \"Africa/Johannesburg\"\n\
             id_authority = \"example.org,2026\"\nauthors = [{{ name = \"The Editors\" }}]\n\
             [content]\npages = false\n\n[feeds]\n{feeds}\n"
        );
        folder.write("letterpress.toml", config);
        fs::create_dir(folder.dir.path().join("content")).unwrap();
        folder
    }

    /// A copy of `parts` of a publication's folder.
    pub(crate) fn copy(root: &Path, parts: &[&str]) -> Self {
        let folder = Self {
            dir: TempDir::new().unwrap(),
        };
        for part in parts {
            let mut files = BTreeMap::new();
            collect(&root.join(part), root, &mut files);
            if root.join(part).is_file() {
                files.insert((*part).to_owned(), fs::read(root.join(part)).unwrap());
            }
            assert!(!files.is_empty(), "{part} is empty");
            for (name, bytes) in files {
                folder.write(&name, bytes);
            }
        }
        folder
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// An article of 300 bytes or so; `more` is front matter.
    pub(crate) fn article(&self, name: &str, date: &str, more: &str) {
        let text = format!(
            "+++\ntitle = \"About {name}\"\ndate = {date}\n{more}\n+++\nThe text of {name}, with \
             *a few* words.\n"
        );
        self.write(&format!("content/{name}.md"), text);
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.dir.path().join(name)).unwrap();
    }

    /// Where the output is.
    pub(crate) fn public(&self) -> PathBuf {
        self.dir.path().join("public")
    }

    /// Runs the program at a time.
    pub(crate) fn run(&self, at: &str, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_letterpress"))
            .current_dir(self.dir.path())
            .args(["--at", at])
            .args(args)
            .output()
            .unwrap()
    }

    /// Builds at a time; returns the names of files that are new or have other bytes.
    #[track_caller]
    pub(crate) fn build(&self, at: &str) -> Vec<String> {
        let output = self.run(at, &["--format", "json", "build"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let built: Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = |key: &str| built[key].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = [names("created"), names("changed")]
            .concat()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// What an output file holds.
    #[track_caller]
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.public().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// An XML output file.
    #[track_caller]
    pub(crate) fn xml(&self, name: &str) -> Node {
        Node::root(&self.bytes(name))
    }

    /// Every output file below `folder` of `public/`.
    pub(crate) fn below(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.public();
        let mut files = BTreeMap::new();
        collect(&root.join(folder), &root, &mut files);
        files
    }
}

fn collect(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, root, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
}

/// The ids of a feed's articles, in its order.
pub(crate) fn ids(feed: &Node) -> Vec<String> {
    match feed.name.as_str() {
        "feed" => feed
            .all("entry")
            .map(|entry| entry.text_of("id").to_owned())
            .collect(),
        _ => feed
            .one("channel")
            .all("item")
            .map(|item| item.text_of("guid").to_owned())
            .collect(),
    }
}

/// The address of a link of this relation, if there is one.
pub(crate) fn link(feed: &Node, rel: &str) -> Option<String> {
    let (parent, name) = match feed.name.as_str() {
        "feed" => (feed, "link"),
        _ => (feed.one("channel"), "atom:link"),
    };
    let mut found = parent.all(name).filter(|link| link.attribute("rel") == rel);
    let href = found.next().map(|link| link.attribute("href").to_owned());
    assert!(found.next().is_none(), "one {rel} at most");
    href
}
