//! Whether receivers can check our signatures (RFC 6376 3.6).

use super::{
    finding::{Finding, Topic},
    names::{Names, Unanswered},
    tags::tag,
};
use crate::mail::dkim::Record;

/// What the DNS has for each key against what it should have.
pub async fn signatures(names: &Names, records: &[Record]) -> Vec<Finding> {
    let mut found = Vec::new();
    for wanted in records {
        found.push(match names.texts(&wanted.name).await {
            Ok(texts) => judged(wanted, &texts),
            Err(Unanswered::Nothing) => missing(wanted),
            Err(Unanswered::Away(why)) => Finding::unasked(Topic::Dkim, &wanted.name, &why),
        });
    }
    found
}

fn missing(wanted: &Record) -> Finding {
    Finding::error(
        Topic::Dkim,
        format!(
            "the {} key `{}` is not published",
            wanted.algorithm, wanted.selector
        ),
        "publish it before anything is signed with it",
    )
    .with_record(&wanted.name, &wanted.value)
}

fn judged(wanted: &Record, texts: &[String]) -> Finding {
    let name = &wanted.name;
    let error = |what: String| {
        Finding::error(Topic::Dkim, what, "publish this one in its place")
            .with_record(name, &wanted.value)
    };
    let [text] = texts else {
        return error(format!(
            "{name} has {} TXT records, and receivers take any",
            texts.len()
        ));
    };
    let Some(public) = tag(text, "p") else {
        return error(format!("{name} is no DKIM record: it has no `p=`"));
    };
    if public.is_empty() {
        return error(format!(
            "{name} says that its key was revoked (`p=` is empty)"
        ));
    }
    if Some(public) != tag(&wanted.value, "p") {
        return error(format!(
            "{name} has another key than the file of `{}`",
            wanted.selector
        ));
    }
    let algorithm = tag(text, "k").unwrap_or_else(|| "rsa".to_owned());
    if Some(&algorithm) != tag(&wanted.value, "k").as_ref() {
        return error(format!("{name} says `k={algorithm}`, and the key is none"));
    }
    if tag(text, "h").is_some_and(|h| h.split(':').all(|hash| hash != "sha256")) {
        return error(format!(
            "{name} forbids SHA-256 (`h=`), with which messages are signed"
        ));
    }
    if tag(text, "t").is_some_and(|t| t.split(':').any(|flag| flag == "y")) {
        return Finding::warning(
            Topic::Dkim,
            format!("{name} says that it is only being tried out (`t=y`)"),
            "take `t=y` out: until then receivers may ignore the signature",
        );
    }
    Finding::ok(
        Topic::Dkim,
        format!(
            "{name} has the {} key of `{}`, {} bits",
            wanted.algorithm, wanted.selector, wanted.bits
        ),
    )
}
