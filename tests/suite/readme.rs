//! The README is true: its commands are run, and what it shows is what one sees.
//! Of the other documents, links lead somewhere and commands exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::press::{FRIDAY, Press};
use crate::process::{Finished, Running};
use crate::tools::program;

/// A Wednesday: the starter's Friday issue is not due yet.
const WEDNESDAY: &str = "2026-11-25T10:00:00+02:00";

/// A block of commands and the output shown below it.
struct Step {
    commands: String,
    shown: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The steps below the heading `## <title>`.
fn steps(title: &str) -> Vec<Step> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme
        .split("\n## ")
        .find(|section| section.starts_with(title))
        .unwrap_or_else(|| panic!("README.md has no section {title}"));
    let mut steps: Vec<Step> = Vec::new();
    for block in section.split("\n```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').unwrap();
        match kind {
            "sh" => steps.push(Step {
                commands: text.to_owned(),
                shown: None,
            }),
            "text" => steps.last_mut().unwrap().shown = Some(text.to_owned()),
            other => assert_eq!(other, "toml", "README.md has a block of kind {other}"),
        }
    }
    assert!(!steps.is_empty(), "README.md has no commands below {title}");
    steps
}

/// Runs commands as a person at a terminal would, with `letterpress` and
/// `cargo run --release --` standing for the binary under test. `run` says
/// without a terminal what it says on one when it is told `-v`.
fn shell(folder: &Path, at: &str, commands: &str) -> Finished {
    let binary = env!("CARGO_BIN_EXE_letterpress");
    let mut script = String::from("set -eu\nexec 2>&1\n");
    for line in commands.lines() {
        let (program, arguments) = match line.strip_prefix("cargo run --release -- ") {
            Some(arguments) => (binary.to_owned(), arguments),
            None => match line.strip_prefix("letterpress ") {
                Some(arguments) => (format!("{binary} --at {at}"), arguments),
                None => (String::new(), line),
            },
        };
        let says_all = arguments == "run" || arguments.ends_with(" run");
        let verbose = if says_all && !program.is_empty() {
            " -v"
        } else {
            ""
        };
        script.push_str(&format!("{program}{verbose} {arguments}\n"));
    }
    let mut command = Command::new(program("bash"));
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .args(["-c", &script]);
    Running::start(command, b"", Duration::from_secs(120)).wait()
}

/// Asserts that the lines of `shown` stand in the output in this order. `…` in
/// a line stands for anything, and alone on a line for any lines.
#[track_caller]
fn assert_shown(shown: &str, seen: &Finished) {
    let mut lines = seen.stdout.lines();
    for wanted in shown
        .lines()
        .filter(|line| !line.trim().is_empty() && *line != "…")
    {
        let found = lines.any(|line| is_like(wanted, line));
        assert!(
            found,
            "the README shows {wanted:?}, and this was seen\n{seen}"
        );
    }
}

fn is_like(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut is_open = false;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        is_open = part.is_empty();
        rest = after;
    }
    is_open || rest.is_empty()
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let place = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(place).unwrap();
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
fn the_two_commands_do_what_the_readme_says() {
    let [first, second] = <[Step; 2]>::try_from(steps("Two commands")).ok().unwrap();
    let press = Press::empty();
    copy(&root().join("content"), &press.path("content"));
    fs::copy(
        root().join("letterpress.toml"),
        press.path("letterpress.toml"),
    )
    .unwrap();
    assert_eq!(
        first.commands.trim_end(),
        format!("cargo run --release -- --at {FRIDAY} run")
    );
    let seen = shell(press.dir(), FRIDAY, &first.commands);
    seen.succeeds();
    assert_shown(first.shown.as_deref().unwrap(), &seen);
    assert_eq!(press.files("outbox").len(), 10);
    shell(press.dir(), FRIDAY, &first.commands)
        .succeeds()
        .prints("nothing to do");

    // The second runs this test: that it is there and can be run must do.
    let script: PathBuf = root().join(second.commands.trim_end());
    let mut check = Command::new(program("bash"));
    check.arg("-n").arg(&script);
    Running::start(check, b"", Duration::from_secs(10))
        .wait()
        .succeeds();
    let mode = {
        use std::os::unix::fs::PermissionsExt;
        script.metadata().unwrap().permissions().mode()
    };
    assert_eq!(mode & 0o111, 0o111, "{} cannot be run", script.display());
}

#[test]
fn the_tour_works_as_shown() {
    let press = Press::empty();
    let mut folder = press.dir().to_owned();
    for step in steps("Five minutes") {
        let seen = shell(&folder, WEDNESDAY, &step.commands);
        seen.succeeds();
        if let Some(shown) = &step.shown {
            assert_shown(shown, &seen);
        }
        for line in step.commands.lines() {
            if let Some(below) = line.strip_prefix("cd ") {
                folder.push(below);
            }
        }
    }
    assert_eq!(press.files("magazine/outbox").len(), 1);
    assert!(
        press
            .read("magazine/list.csv")
            .contains("anna@example.org,Anna Nkosi,unsubscribed")
    );
}

/// README, CHANGELOG and everything in `docs/`, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    ["README.md", "CHANGELOG.md"]
        .map(|name| root().join(name))
        .into_iter()
        .chain(docs)
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The names under which a reader's browser finds the headings of a document.
fn headings(text: &str) -> BTreeSet<String> {
    let name = |heading: &str| {
        heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    };
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| name(line.trim_start_matches('#')))
        .collect()
}

#[test]
fn what_the_documents_link_to_is_there() {
    let mut links = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{} links to {link}", path.display());
            if !heading.is_empty() {
                let there = headings(&fs::read_to_string(target).unwrap());
                assert!(there.contains(heading), "{}: {link}", path.display());
            }
        }
    }
    assert!(links > 20, "{links} links were found");
}

/// Lines of fenced blocks that run the program, without it and without what is
/// said about them, two spaces further on.
fn shown_commands(text: &str) -> Vec<String> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("letterpress "))
        .map(|line| line.split("  ").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_that_the_documents_show_exists_with_its_flags() {
    let press = Press::empty();
    let mut commands = 0;
    for (path, text) in documents() {
        for line in shown_commands(&text) {
            commands += 1;
            let words = line.split_whitespace();
            // Its names, and whatever word follows: the help is shown all the same.
            let is_name = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase());
            let asked: Vec<&str> = words
                .clone()
                .take_while(is_name)
                .chain(["--help"])
                .collect();
            let help = press.run(&asked);
            assert_eq!(help.code(), Some(0), "{}: {line}\n{help}", path.display());
            for flag in words.filter(|word| word.starts_with("--")) {
                help.prints(flag);
            }
        }
    }
    assert!(commands > 20, "{commands} commands were found");
}

#[test]
fn the_readme_has_every_exit_code_that_the_help_has() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.split("\n## Exit codes").nth(1).unwrap().lines();
    let told: BTreeSet<u8> = rows
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|row| row.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let help = Press::empty().run(&["--help"]);
    let codes = help.stdout.split("Exit codes:").nth(1).unwrap();
    let codes = codes.split('·').map(|part| part.split_whitespace().next());
    let codes: BTreeSet<u8> = codes.map(|code| code.unwrap().parse().unwrap()).collect();
    assert_eq!(told, codes);
    assert_eq!(codes.len(), 13);
}
