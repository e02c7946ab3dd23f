//! `[[digest]]` tables.

use std::time::Duration;

use chrono_tz::Tz;
use toml::Spanned;

use super::{findings::Findings, raw::RawDigest};
use crate::domain::{
    article::Slug,
    digest::{Digest, FirstIssue, Shown},
    schedule::Schedule,
    text::one_line,
};

/// Checks every digest; those with errors are left out.
pub(super) fn check(
    raw: Vec<Spanned<RawDigest>>,
    zone: Tz,
    findings: &mut Findings<'_>,
) -> Vec<Digest> {
    let mut digests: Vec<Digest> = Vec::with_capacity(raw.len());
    for table in raw {
        let offset = table.span().start;
        let Some(digest) = one(table.into_inner(), offset, zone, findings) else {
            continue;
        };
        if digests.iter().any(|other| other.name == digest.name) {
            findings.error(
                offset,
                format!("two digests are called `{}`", digest.name),
                "give each its own name",
            );
        } else {
            digests.push(digest);
        }
    }
    digests
}

fn one(raw: RawDigest, offset: usize, zone: Tz, findings: &mut Findings<'_>) -> Option<Digest> {
    if raw.name.is_none() || raw.schedule.is_none() {
        findings.error(
            offset,
            "a digest needs a name and a schedule",
            "add `name = \"weekly\"` and `schedule = \"0 7 * * FRI\"`",
        );
        return None;
    }
    let text = findings.required(raw.name.as_ref(), "digest.name")?;
    let name: Option<Slug> = findings.parsed(
        raw.name.as_ref(),
        text.parse::<Slug>(),
        "use lower-case letters, digits and `-`, such as `weekly`",
    );
    let text = findings.required(raw.schedule.as_ref(), "digest.schedule")?;
    let schedule = findings.parsed(
        raw.schedule.as_ref(),
        Schedule::parse(&text, zone),
        "`0 7 * * FRI` is every Friday at seven",
    );
    let first_issue = match raw.first_issue.as_ref().map(|t| t.get_ref().as_str()) {
        None | Some("latest") => Some(FirstIssue::Latest),
        Some("period") => Some(FirstIssue::Period),
        Some(other) => {
            let what = format!("digest.first_issue is `{other}`");
            findings.at(
                raw.first_issue.as_ref(),
                what,
                "use \"latest\" or \"period\"",
            );
            None
        }
    };
    let max_late = findings.span(
        raw.max_late.as_ref(),
        "digest.max_late",
        Duration::from_secs(86_400),
    );
    let max_articles = findings.counted(
        raw.max_articles.as_ref(),
        "digest.max_articles",
        12,
        1..=200,
    );
    let min_articles =
        findings.counted(raw.min_articles.as_ref(), "digest.min_articles", 1, 1..=200);
    if let (Some(most), Some(least)) = (max_articles, min_articles)
        && least > most
    {
        findings.at(
            raw.min_articles.as_ref(),
            format!("min_articles ({least}) is more than max_articles ({most})"),
            "make it smaller, or no issue can ever go out",
        );
    }
    let on_uncertain =
        super::mailing::on_uncertain(raw.on_uncertain.as_ref(), "digest.on_uncertain", findings);
    let content = match raw.content.as_ref().map(|t| t.get_ref().as_str()) {
        None => Some(None),
        Some("full") => Some(Some(Shown::Full)),
        Some("summary") => Some(Some(Shown::Summary)),
        Some(other) => {
            let what = format!("digest.content is `{other}`");
            findings.at(raw.content.as_ref(), what, "use \"full\" or \"summary\"");
            None
        }
    };
    let sections = slugs(&raw.sections, findings);
    let tags = slugs(&raw.tags, findings);
    let name = name?;
    Some(Digest {
        title: raw
            .title
            .as_deref()
            .map(one_line)
            .filter(|title| !title.is_empty())
            .unwrap_or_else(|| name.to_string()),
        name,
        schedule: schedule?,
        template: raw.template.unwrap_or_else(|| "digest".to_owned()),
        sections: sections?,
        tags: tags?,
        max_articles: max_articles?,
        min_articles: min_articles?,
        first_issue: first_issue?,
        max_late: chrono::Duration::from_std(max_late?).ok()?,
        on_uncertain: on_uncertain?,
        content: content?,
        language: raw.language,
        subject: raw.subject,
    })
}

/// Sections and tags may be written as people see them or as slugs.
fn slugs(raw: &[Spanned<String>], findings: &mut Findings<'_>) -> Option<Vec<Slug>> {
    raw.iter()
        .map(|text| {
            let slug = Slug::of(text.get_ref())
                .ok_or_else(|| format!("`{}` names no section or tag", text.get_ref()));
            findings.parsed(Some(text), slug, "use the name of a folder or a tag")
        })
        .collect()
}
