//! Where a setting stands in its file, for findings about what it leads to.

use std::{fs, path::Path};

use toml::de::{DeTable, DeValue};

/// The line of a key such as `mail.list` or `digest.subject`; of the table it
/// belongs to where it is not written. Of several digests the one of this name
/// is meant.
#[must_use]
pub fn line_of(file: &Path, key: &str, digest: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    let at = offset(&text, key, digest)?;
    let lines = text.as_bytes().get(..at)?.iter().filter(|b| **b == b'\n');
    u32::try_from(lines.count() + 1).ok()
}

fn offset(text: &str, key: &str, digest: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut at = None;
    for part in key.split('.') {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else {
            break;
        };
        at = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Array(items) => {
                let named = items.iter().find_map(|item| match item.get_ref() {
                    DeValue::Table(inner) if is_named(inner, digest) => Some((item, inner)),
                    _ => None,
                });
                let Some((item, inner)) = named else { break };
                at = Some(item.span().start);
                table = inner;
            }
            _ => break,
        }
    }
    at
}

fn is_named(table: &DeTable<'_>, digest: &str) -> bool {
    let mut entries = table.iter();
    let name = entries.find(|(key, _)| key.get_ref() == "name");
    matches!(name, Some((_, value)) if value.get_ref().as_str() == Some(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_or_the_table_that_lacks_it() {
        let text = "[publication]\ntitle = \"x\"\n\n[[digest]]\nname = \"daily\"\nsubject = \"a\"\n\n\
                    [[digest]]\nname = \"weekly\"\nsubject = \"b\"\n\n[mail]\nfrom = \"a\"\n\n[mail.list]\nid = \"x\"\n";
        let line = |key: &str, digest: &str| {
            let at = offset(text, key, digest);
            at.map(|at| text[..at].lines().count() + 1)
        };
        assert_eq!(line("digest.subject", "weekly"), Some(10));
        assert_eq!(line("digest.subject", "daily"), Some(6));
        assert_eq!(line("mail.list.id", ""), Some(16));
        assert_eq!(line("mail.dkim", ""), line("mail", ""));
        assert_eq!(line("serve.public_url", ""), None);
    }
}
