//! `letterpress.toml` as written: serde shapes, and the list of keys we know.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, de::DeTable, de::DeValue};

use crate::domain::publication::Author;

/// The whole file.
#[derive(Debug, Deserialize, Default)]
pub(super) struct Raw {
    pub(super) publication: Option<RawPublication>,
    #[serde(default)]
    pub(super) content: RawContent,
    #[serde(default)]
    pub(super) feeds: RawFeeds,
    #[serde(default)]
    pub(super) digest: Vec<Spanned<RawDigest>>,
    pub(super) mail: Option<RawMail>,
    #[serde(default)]
    pub(super) bounces: RawBounces,
    #[serde(default)]
    pub(super) store: RawStore,
    #[serde(default)]
    pub(super) serve: RawServe,
    #[serde(default)]
    pub(super) subscribers: RawSubscribers,
    #[serde(default)]
    pub(super) theme: RawTheme,
}

type Text = Option<Spanned<String>>;

#[derive(Debug, Deserialize)]
pub(super) struct RawPublication {
    pub(super) title: Text,
    pub(super) description: Text,
    pub(super) base_url: Text,
    pub(super) language: Text,
    pub(super) timezone: Text,
    pub(super) id_authority: Text,
    #[serde(default)]
    pub(super) authors: Vec<Author>,
    pub(super) logo: Text,
    pub(super) icon: Text,
    pub(super) rights: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawContent {
    pub(super) dir: Text,
    pub(super) permalink: Text,
    #[serde(default)]
    pub(super) smart_punctuation: bool,
    pub(super) compress: Option<Vec<Spanned<String>>>,
    pub(super) pages: Option<bool>,
    pub(super) missing: Text,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawFeeds {
    pub(super) entries: Option<Spanned<usize>>,
    pub(super) content: Text,
    pub(super) hub: Text,
    pub(super) archive: Option<bool>,
    pub(super) archive_size: Option<Spanned<usize>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawDigest {
    pub(super) name: Text,
    pub(super) title: Option<String>,
    pub(super) schedule: Text,
    pub(super) template: Option<String>,
    #[serde(default)]
    pub(super) sections: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) tags: Vec<Spanned<String>>,
    pub(super) max_articles: Option<Spanned<usize>>,
    pub(super) min_articles: Option<Spanned<usize>>,
    pub(super) first_issue: Text,
    pub(super) max_late: Text,
    pub(super) on_uncertain: Text,
    pub(super) content: Text,
    pub(super) language: Option<String>,
    pub(super) subject: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawMail {
    pub(super) from: Text,
    pub(super) reply_to: Text,
    pub(super) relay: Text,
    pub(super) password_file: Option<String>,
    pub(super) tls_ca_file: Option<String>,
    pub(super) hello_name: Text,
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) messages_per_connection: Option<Spanned<u32>>,
    pub(super) rate: Text,
    #[serde(default)]
    pub(super) relays: Vec<RawRelay>,
    pub(super) expire_after: Text,
    pub(super) relay_patience: Text,
    pub(super) on_uncertain: Text,
    pub(super) idempotency_header: Text,
    pub(super) idempotency_window: Text,
    #[serde(default)]
    pub(super) timeouts: RawTimeouts,
    pub(super) dkim: Option<Spanned<RawDkim>>,
    pub(super) pictures: Text,
    pub(super) text_links: Text,
    pub(super) size_budget: Text,
    #[serde(default)]
    pub(super) welcome: bool,
    #[serde(default)]
    pub(super) goodbye: bool,
    #[serde(default)]
    pub(super) latest_issue: bool,
    #[serde(default)]
    pub(super) link_params: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) list: RawList,
}

/// One of several relays.
#[derive(Debug, Deserialize, Default)]
pub(super) struct RawRelay {
    pub(super) url: Text,
    pub(super) weight: Option<Spanned<u32>>,
    pub(super) password_file: Option<String>,
    pub(super) tls_ca_file: Option<String>,
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) rate: Text,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawTimeouts {
    pub(super) connect: Text,
    pub(super) greeting: Text,
    pub(super) auth: Text,
    pub(super) command: Text,
    pub(super) data: Text,
    pub(super) block: Text,
    pub(super) dot: Text,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawDkim {
    pub(super) domain: Text,
    pub(super) selector: Text,
    pub(super) key_file: Text,
    pub(super) second_selector: Text,
    pub(super) second_key_file: Text,
    pub(super) valid_for: Text,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawList {
    pub(super) id: Text,
    pub(super) postal_address: Option<String>,
    pub(super) unsubscribe_address: Text,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawBounces {
    pub(super) source: Text,
    pub(super) domain: Text,
    pub(super) password_file: Option<String>,
    pub(super) tls_ca_file: Option<String>,
    pub(super) ses_topic: Text,
    pub(super) postmark_secret_file: Option<String>,
    pub(super) hard_limit: Option<Spanned<u32>>,
}

#[derive(Debug, Clone, Deserialize, Default)]
pub(super) struct RawStore {
    pub(super) url: Text,
    pub(super) durability: Text,
    pub(super) password_file: Option<String>,
    pub(super) patience: Text,
    pub(super) lease: Text,
    #[serde(default)]
    pub(super) allow_network_file_system: bool,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawServe {
    pub(super) public_url: Text,
    pub(super) listen: Text,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<Spanned<String>>,
    pub(super) signups_per_hour: Option<Spanned<usize>>,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawSubscribers {
    pub(super) seed_file: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawTheme {
    #[serde(default)]
    pub(super) light: RawPalette,
    #[serde(default)]
    pub(super) dark: RawPalette,
    pub(super) text_font: Text,
    pub(super) heading_font: Text,
    pub(super) label_font: Text,
    pub(super) logo: Text,
    pub(super) footer: Option<String>,
    #[serde(default)]
    pub(super) links: Vec<RawFooterLink>,
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawPalette {
    pub(super) background: Text,
    pub(super) paper: Text,
    pub(super) ink: Text,
    pub(super) quiet: Text,
    pub(super) accent: Text,
    pub(super) line: Text,
}

impl RawPalette {
    /// The colour of this key, where it is written.
    pub(super) fn get(&self, key: &str) -> Option<&Spanned<String>> {
        match key {
            "background" => self.background.as_ref(),
            "paper" => self.paper.as_ref(),
            "ink" => self.ink.as_ref(),
            "quiet" => self.quiet.as_ref(),
            "accent" => self.accent.as_ref(),
            "line" => self.line.as_ref(),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct RawFooterLink {
    pub(super) title: Text,
    pub(super) url: Text,
}

/// Every key of the file by table; `[[digest]]` and `authors` are lists of tables.
const KEYS: [(&str, &[&str]); 18] = [
    (
        "",
        &[
            "publication",
            "content",
            "feeds",
            "digest",
            "mail",
            "bounces",
            "store",
            "serve",
            "subscribers",
            "theme",
        ],
    ),
    (
        "publication",
        &[
            "title",
            "description",
            "base_url",
            "language",
            "timezone",
            "id_authority",
            "authors",
            "logo",
            "icon",
            "rights",
        ],
    ),
    ("publication.authors", &["name", "email", "url"]),
    (
        "content",
        &[
            "dir",
            "permalink",
            "smart_punctuation",
            "compress",
            "pages",
            "missing",
        ],
    ),
    (
        "feeds",
        &["entries", "content", "hub", "archive", "archive_size"],
    ),
    (
        "digest",
        &[
            "name",
            "title",
            "schedule",
            "template",
            "sections",
            "tags",
            "max_articles",
            "min_articles",
            "first_issue",
            "max_late",
            "on_uncertain",
            "content",
            "language",
            "subject",
        ],
    ),
    (
        "mail",
        &[
            "from",
            "reply_to",
            "relay",
            "password_file",
            "tls_ca_file",
            "hello_name",
            "connections",
            "messages_per_connection",
            "rate",
            "relays",
            "expire_after",
            "relay_patience",
            "on_uncertain",
            "idempotency_header",
            "idempotency_window",
            "timeouts",
            "dkim",
            "pictures",
            "text_links",
            "link_params",
            "size_budget",
            "welcome",
            "goodbye",
            "latest_issue",
            "list",
        ],
    ),
    (
        "mail.relays",
        &[
            "url",
            "weight",
            "password_file",
            "tls_ca_file",
            "connections",
            "rate",
        ],
    ),
    (
        "mail.timeouts",
        &[
            "connect", "greeting", "auth", "command", "data", "block", "dot",
        ],
    ),
    (
        "mail.dkim",
        &[
            "domain",
            "selector",
            "key_file",
            "second_selector",
            "second_key_file",
            "valid_for",
        ],
    ),
    (
        "mail.list",
        &["id", "postal_address", "unsubscribe_address"],
    ),
    (
        "bounces",
        &[
            "source",
            "domain",
            "password_file",
            "tls_ca_file",
            "ses_topic",
            "postmark_secret_file",
            "hard_limit",
        ],
    ),
    (
        "store",
        &[
            "url",
            "durability",
            "allow_network_file_system",
            "password_file",
            "patience",
            "lease",
        ],
    ),
    (
        "serve",
        &[
            "public_url",
            "listen",
            "trusted_proxies",
            "signups_per_hour",
        ],
    ),
    (
        "theme",
        &[
            "light",
            "dark",
            "text_font",
            "heading_font",
            "label_font",
            "logo",
            "footer",
            "links",
        ],
    ),
    ("theme.light", PALETTE),
    ("theme.dark", PALETTE),
    ("theme.links", &["title", "url"]),
];

/// Keys of `[theme.light]` and `[theme.dark]`.
const PALETTE: &[&str] = &["background", "paper", "ink", "quiet", "accent", "line"];

/// Keys of `[subscribers]`, and of any table not listed above.
const SUBSCRIBERS: &[&str] = &["seed_file"];

/// The table whose names are the publication's own.
const FREE: &str = "mail.link_params";

/// A key nobody knows: where it stands and what was probably meant.
pub(super) struct Unknown {
    pub(super) offset: usize,
    pub(super) key: String,
    pub(super) table: String,
    pub(super) meant: Option<&'static str>,
}

/// Every key of the file that no part of Letterpress reads.
pub(super) fn unknown_keys(table: &DeTable<'_>) -> Vec<Unknown> {
    let mut found = Vec::new();
    walk(table, "", &mut found);
    found.sort_by_key(|unknown| unknown.offset);
    found
}

fn walk(table: &DeTable<'_>, path: &str, found: &mut Vec<Unknown>) {
    let known = match path {
        "subscribers" => SUBSCRIBERS,
        _ => KEYS
            .iter()
            .find(|(name, _)| *name == path)
            .map_or(&[][..], |(_, keys)| keys),
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            found.push(Unknown {
                offset: key.span().start,
                key: name.to_owned(),
                table: path.to_owned(),
                meant: crate::domain::problem::suggestion(name, known.iter().copied()),
            });
            continue;
        }
        let below = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        match value.get_ref() {
            DeValue::Table(_) if below == FREE => {}
            DeValue::Table(inner) => walk(inner, &below, found),
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        walk(inner, &below, found);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCUMENTED: &str = include_str!("../../docs/configuration.md");

    /// Keys by table, from headings such as `### [mail.list]` and the first
    /// column of the tables below them.
    fn documented() -> BTreeSet<(String, String)> {
        let mut table = None;
        let mut keys = BTreeSet::new();
        for line in DOCUMENTED.lines() {
            if let Some(heading) = line.strip_prefix('#') {
                let name = heading.trim_start_matches('#').trim();
                let name = name.trim_matches(['[', ']']);
                table = heading.ends_with(']').then(|| name.to_owned());
            } else if let (Some(table), Some(row)) = (&table, line.strip_prefix("| `")) {
                let cells: Vec<&str> = row.split('|').collect();
                // Key, type, default, meaning, and what follows the last bar.
                if cells.len() == 5 {
                    let key = cells[0].trim().trim_end_matches('`');
                    keys.insert((table.clone(), key.to_owned()));
                }
            }
        }
        keys
    }

    #[test]
    fn the_documentation_has_every_key_and_no_other() {
        let known: BTreeSet<(String, String)> = KEYS
            .iter()
            .copied()
            .chain([("subscribers", SUBSCRIBERS)])
            .filter(|(table, _)| !table.is_empty())
            .flat_map(|(table, keys)| keys.iter().map(move |key| (table, *key)))
            .map(|(table, key)| (table.to_owned(), key.to_owned()))
            .collect();
        let documented = documented();
        let lacking: Vec<_> = known.difference(&documented).collect();
        let unknown: Vec<_> = documented.difference(&known).collect();
        assert!(
            lacking.is_empty(),
            "docs/configuration.md lacks {lacking:?}"
        );
        assert!(
            unknown.is_empty(),
            "docs/configuration.md has unknown {unknown:?}"
        );
    }

    #[test]
    fn the_documentation_names_every_table() {
        for table in KEYS[0].1 {
            let is_there = [format!("## [{table}]\n"), format!("## [[{table}]]\n")]
                .iter()
                .any(|heading| DOCUMENTED.contains(heading));
            assert!(is_there, "docs/configuration.md has no heading [{table}]");
        }
    }

    #[test]
    fn the_examples_of_the_documentation_have_known_keys() {
        let examples = DOCUMENTED.split("```toml\n").skip(1);
        for example in examples.filter_map(|rest| rest.split("```").next()) {
            let table = DeTable::parse(example).unwrap();
            let unknown: Vec<_> = unknown_keys(table.get_ref())
                .iter()
                .map(|u| u.key.clone())
                .collect();
            assert!(unknown.is_empty(), "{unknown:?} in\n{example}");
            toml::from_str::<Raw>(example).unwrap();
        }
    }
}
