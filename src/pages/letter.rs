//! The archive of letters: a page for each sent issue, and a list of them for
//! each digest.

use std::collections::BTreeMap;

use tera::Value;

use super::{
    Input, Letter,
    claims::Claims,
    context::map,
    site::{Draft, Head, Site},
    structured,
    trail::Step,
};
use crate::domain::{article::Slug, text::one_line};

/// A page of the archive.
pub(super) enum Planned<'a> {
    /// All issues of a digest, newest first.
    Archive(Vec<&'a Letter>),
    /// One issue, and those before and after it.
    Issue {
        letter: &'a Letter,
        older: Option<&'a Letter>,
        newer: Option<&'a Letter>,
    },
}

impl Planned<'_> {
    /// Where it is, below the base URL.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Archive(letters) => {
                let digest = letters.first().map_or("", |letter| letter.digest.as_str());
                format!("letters/{digest}/")
            }
            Self::Issue { letter, .. } => issue_path(letter),
        }
    }

    /// When it last changed, by the letters on it.
    pub(super) fn changed(&self) -> Option<chrono::DateTime<chrono::FixedOffset>> {
        match self {
            Self::Archive(letters) => letters.first().map(|letter| letter.sent),
            Self::Issue { letter, .. } => Some(letter.sent),
        }
    }
}

fn issue_path(letter: &Letter) -> String {
    format!("letters/{}/{}/", letter.digest, letter.number)
}

/// Every page of the archive that nothing else stands in the place of.
pub(super) fn plan<'a>(input: &Input<'a>, claims: &mut Claims) -> Vec<Planned<'a>> {
    let mut digests: BTreeMap<&Slug, Vec<&Letter>> = BTreeMap::new();
    for letter in input.letters {
        digests.entry(&letter.digest).or_default().push(letter);
    }
    let mut planned = Vec::new();
    for mut letters in digests.into_values() {
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.number));
        for (at, letter) in letters.iter().enumerate() {
            planned.push(Planned::Issue {
                letter,
                older: letters.get(at + 1).copied(),
                newer: at.checked_sub(1).map(|at| letters[at]),
            });
        }
        planned.push(Planned::Archive(letters));
    }
    planned.retain(|page| claims.take(&format!("{}index.html", page.path())));
    planned
}

/// A page of the archive.
pub(super) fn page<'a>(site: &'a Site<'a>, planned: &Planned<'_>) -> Draft<'a> {
    let path = planned.path();
    match planned {
        Planned::Archive(letters) => archive(site, &path, letters),
        Planned::Issue {
            letter,
            older,
            newer,
        } => issue(site, &path, letter, [*older, *newer]),
    }
}

fn archive<'a>(site: &'a Site<'a>, path: &str, letters: &[&Letter]) -> Draft<'a> {
    let title = letters
        .first()
        .map_or_else(String::new, |letter| one_line(&letter.digest_title));
    let trail = [site.home_step(), Step::new(&title, path)];
    let described: Vec<Value> = letters
        .iter()
        .map(|letter| describe(site, letter))
        .collect();
    let own = map([
        ("title", title.as_str().into()),
        ("letters", described.into()),
    ]);
    let url = site.absolute(path);
    let head = head(site, &title, &url, &trail, "");
    site.draft(
        &format!("{path}index.html"),
        "letters.html",
        head,
        [("archive", own)],
    )
}

fn issue<'a>(
    site: &'a Site<'a>,
    path: &str,
    letter: &Letter,
    [older, newer]: [Option<&Letter>; 2],
) -> Draft<'a> {
    let digest = one_line(&letter.digest_title);
    let title = one_line(&letter.subject);
    let trail = [
        site.home_step(),
        Step::new(&digest, format!("letters/{}/", letter.digest)),
        Step::new(&format!("No. {}", letter.number), path),
    ];
    let url = site.absolute(path);
    let head = head(site, &title, &url, &trail, &letter.style);
    let own = [
        ("letter", describe(site, letter)),
        ("older", older.map(|letter| describe(site, letter)).into()),
        ("newer", newer.map(|letter| describe(site, letter)).into()),
    ];
    site.draft(&format!("{path}index.html"), "letter.html", head, own)
}

fn head<'h>(
    site: &Site<'_>,
    title: &'h str,
    url: &'h str,
    trail: &'h [Step],
    style: &'h str,
) -> Head<'h> {
    let about = (title, "", url);
    Head {
        title,
        description: "",
        url,
        kind: "website",
        section: None,
        trail,
        streams: &[],
        image: None,
        structured: structured::collection(site.input.publication, "WebPage", about, trail),
        properties: Vec::new(),
        style,
        is_listed: true,
    }
}

fn describe(site: &Site<'_>, letter: &Letter) -> Value {
    let words = site.words();
    let articles: Vec<Value> = letter.articles.iter().map(|t| one_line(t).into()).collect();
    map([
        ("digest_title", one_line(&letter.digest_title).into()),
        ("number", letter.number.into()),
        ("subject", one_line(&letter.subject).into()),
        ("url", site.path(&issue_path(letter)).into()),
        ("sent", letter.sent.to_rfc3339().into()),
        ("sent_text", words.weekday_and_day(letter.sent).into()),
        ("sent_day", words.day(letter.sent).into()),
        ("articles", articles.into()),
        // Made of templates and sanitised articles when it was frozen.
        ("html", Value::safe_string(&letter.html)),
        ("class", letter.class.into()),
    ])
}
