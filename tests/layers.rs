//! The layers of the crate, enforced: a module imports only what stands below
//! it, SQL and SMTP stay in one place each, only commands talk to people, and
//! only the entry point looks at the clock.

#![allow(
    clippy::unwrap_used,
    reason = "in a test an unwrap is an assertion; the panic names the line"
)]

#[path = "layers/imports.rs"]
mod imports;
#[path = "layers/source.rs"]
mod source;

use std::path::Path;

use imports::imports;
use source::{Source, Token};

/// Each module of the crate with the modules it may import, lowest first.
/// A module that is not here has no place yet: give it one deliberately.
const LAYERS: [(&str, &[&str]); 22] = [
    ("domain", &[]),
    ("config", &["domain"]),
    ("links", &["domain"]),
    // Problems with templates are problems like any other.
    ("templates", &["domain"]),
    // Files that are whole or not there: knows nothing of what is in them.
    ("files", &[]),
    // Time that goes on while the process is stopped.
    ("moment", &[]),
    ("content", &["domain", "files"]),
    ("feed", &["domain"]),
    (
        "mail",
        &["domain", "config", "links", "templates", "moment"],
    ),
    ("pages", &["domain", "templates"]),
    // Bytes in, bytes out.
    ("scaling", &["domain"]),
    ("store", &["domain", "config", "moment"]),
    // Asks a web server, whatever for.
    ("client", &[]),
    // Tells a hub; what is to be told stands in the ledger.
    ("websub", &["client"]),
    // Asks the DNS; what to do about it is said by commands.
    ("doctor", &["domain", "mail"]),
    ("inbound", &["domain", "links"]),
    ("import", &["domain"]),
    (
        "outbox",
        &[
            "domain", "config", "files", "links", "mail", "moment", "store",
        ],
    ),
    (
        "web",
        &[
            "domain",
            "config",
            "links",
            "templates",
            "content",
            "feed",
            "mail",
            "pages",
            "store",
            "inbound",
            "import",
        ],
    ),
    (
        "commands",
        &[
            "domain",
            "config",
            "files",
            "links",
            "templates",
            "content",
            "feed",
            "mail",
            "pages",
            "scaling",
            "store",
            "inbound",
            "import",
            "outbox",
            "web",
            "client",
            "websub",
            "doctor",
        ],
    ),
    ("cli", &["commands"]),
    ("main", &["commands", "cli"]),
];

/// Crates that belong to one module only.
const OWNED_CRATES: [(&str, &str); 6] = [
    ("hickory_resolver", "doctor"),
    ("async_imap", "inbound"),
    ("rusqlite", "store"),
    ("tokio_postgres", "store"),
    ("lettre", "mail"),
    ("jpeg_encoder", "scaling"),
];

/// Modules that may print: the rest returns what is to be said.
const TALKERS: [&str; 3] = ["commands", "cli", "main"];

/// Modules that may ask what time it is: everyone else is told.
const CLOCK_READERS: [&str; 2] = ["cli", "main"];

#[test]
fn every_import_points_downwards() {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<_> = walkdir::WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
        found.extend(violations(name, &text));
    }
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Every broken rule in one file, as `src/file:line: what; rule`.
fn violations(file: &str, text: &str) -> Vec<String> {
    let path = module_path(file);
    let Some(module) = path.first().map(String::as_str) else {
        // The crate root only lists the modules.
        return Vec::new();
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![format!(
            "src/{file}:1: module `{module}` has no layer; add it to LAYERS in tests/layers.rs"
        )];
    };
    let source = Source::parse(text);
    let mut found = Vec::new();
    for (line, target) in imports(&source.tokens, &path) {
        if target != module && !allowed.contains(&target.as_str()) {
            let allowed = allowed.join(", ");
            found.push((
                line,
                format!("`{module}` imports `{target}`; it may import only [{allowed}]"),
            ));
        }
    }
    found.extend(foreign_crates(&source.tokens, module));
    if !path.iter().any(|part| part == "tests") {
        found.extend(forbidden_calls(&source.tokens, module));
    }
    if module != "store" {
        let is_sql = |text: &String| source::looks_like_sql(text);
        for (line, _) in source.strings.iter().filter(|(_, text)| is_sql(text)) {
            found.push((*line, "SQL in a string; SQL belongs to `store`".to_owned()));
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(line, what)| format!("src/{file}:{line}: {what}"))
        .collect()
}

/// Uses of a crate outside the module that owns it.
fn foreign_crates(tokens: &[Token], module: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let starts_path = place == 0 || tokens[place - 1].text != "::";
        let goes_on = tokens
            .get(place + 1)
            .is_some_and(|next| matches!(next.text.as_str(), "::" | ";" | "as"));
        for (name, owner) in OWNED_CRATES {
            if token.text == name && module != owner && goes_on && starts_path {
                found.push((token.line, format!("`{name}` belongs to `{owner}` alone")));
            }
        }
    }
    found
}

/// Printing and looking at the clock where it is not allowed.
fn forbidden_calls(tokens: &[Token], module: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| {
            tokens
                .get(place + ahead)
                .map_or("", |one| one.text.as_str())
        };
        let name = token.text.as_str();
        let prints = matches!(name, "print" | "println" | "eprint" | "eprintln");
        if prints && next(1) == "!" && !TALKERS.contains(&module) {
            found.push((
                token.line,
                format!("`{name}!` in `{module}`; only commands talk to people"),
            ));
        }
        let clock = matches!(name, "SystemTime" | "Utc" | "Local");
        if clock && next(1) == "::" && next(2) == "now" && !CLOCK_READERS.contains(&module) {
            found.push((
                token.line,
                format!("`{name}::now` in `{module}`; the clock is an argument"),
            ));
        }
    }
    found
}

/// `mail/smtp.rs` → `["mail", "smtp"]`, `lib.rs` → `[]`, `feed/mod.rs` → `["feed"]`.
fn module_path(file: &str) -> Vec<String> {
    let mut parts: Vec<String> = file
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

#[test]
fn an_upward_or_sideways_import_is_found_however_it_is_written() {
    for (file, text) in [
        ("domain/issue.rs", "use crate::config::Config;"),
        (
            "feed/rss.rs",
            "use std::fmt;\nuse crate::{domain::Feed, content::{self, Load}};",
        ),
        ("feed/mod.rs", "use super::content::load;"),
        ("feed/rss.rs", "use super::super::store;"),
        ("feed/rss.rs", "fn f() { crate::store::open() }"),
        ("links.rs", "use crate::{domain, templates as t};"),
        (
            "domain/issue.rs",
            "mod tests { use super::super::super::mail; }",
        ),
        ("commands/run.rs", "pub use crate::cli::Options;"),
        ("main.rs", "use letterpress::store::Store;"),
        ("novel.rs", ""),
    ] {
        assert_eq!(violations(file, text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn imports_that_keep_the_layers_pass() {
    for (file, text) in [
        (
            "outbox/drain.rs",
            "use crate::{domain::{Delivery, State}, store::Store};",
        ),
        (
            "mail/smtp.rs",
            "use super::message::Message; use super::super::domain::Issue;",
        ),
        (
            "domain/issue.rs",
            "mod tests { use super::*; use crate::domain::Article; }",
        ),
        (
            "feed/rss.rs",
            "pub(crate) fn f() {} // use crate::store;\n/* crate::mail::x /* y */ */",
        ),
        (
            "feed/rss.rs",
            r##"const A: &str = "crate::store::x"; const B: &str = r#"crate::mail"#;"##,
        ),
        (
            "feed/rss.rs",
            "fn f<'a>(x: &'a str, c: char) -> bool { c == '\"' || c == '\\'' }",
        ),
        ("lib.rs", "pub mod domain;"),
        ("main.rs", "use letterpress::cli;"),
    ] {
        assert_eq!(violations(file, text), Vec::<String>::new());
    }
}

#[test]
fn crates_calls_and_sql_out_of_place_are_found() {
    for (file, text) in [
        ("outbox/claim.rs", "use rusqlite::Connection;"),
        (
            "outbox/claim.rs",
            "const Q: &str = \"SELECT id FROM deliveries\";",
        ),
        (
            "outbox/claim.rs",
            "const Q: &str = r#\"\n  UPDATE deliveries SET state = ?\"#;",
        ),
        ("store/mod.rs", "fn f() { lettre::address(); }"),
        ("content/mod.rs", "fn f() { eprintln!(\"x\"); }"),
        ("content/mod.rs", "fn f() { let now = chrono::Utc::now(); }"),
        (
            "commands/run.rs",
            "use std::time::SystemTime; fn f() { SystemTime::now(); }",
        ),
    ] {
        assert_eq!(violations(file, text).len(), 1, "{file}: {text}");
    }
    for (file, text) in [
        (
            "store/mod.rs",
            "use rusqlite::Connection; const Q: &str = \"SELECT 1\";",
        ),
        ("commands/run.rs", "fn f() { println!(\"x\"); }"),
        ("cli.rs", "fn f() { let now = chrono::Utc::now(); }"),
        ("outbox/pace.rs", "fn f() { std::time::Instant::now(); }"),
        (
            "content/mod.rs",
            "const HELP: &str = \"Select a section, update the file\";",
        ),
    ] {
        assert_eq!(violations(file, text), Vec::<String>::new());
    }
}
