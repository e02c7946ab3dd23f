//! Files that go with an article for players: found, measured, addressed.

use std::path::Path;

use url::Url;

use crate::{
    content::{
        file::fields::EnclosureField,
        pictures::Beside,
        site::{Followed, Lead},
    },
    domain::{
        article::{Companion, Enclosure},
        media_type,
        problem::Problem,
    },
};

/// The enclosure; without a file, a length or a media type, `None` and a problem.
pub(super) fn enclosure(
    field: &EnclosureField,
    beside: Beside<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Enclosure> {
    let followed = beside.site.follow(beside.origin, &field.src);
    let (file, bytes) = match &followed.lead {
        Lead::File(file) => (
            Some(file.clone()),
            own_length(file, field, beside, problems)?,
        ),
        // Without a relative path another program may serve it.
        Lead::Away | Lead::OnSite | Lead::Nowhere { is_relative: false } => {
            (None, told_length(field, &followed, beside, problems)?)
        }
        _ => {
            problems.push(no_file(&field.src, field.line, beside));
            return None;
        }
    };
    let url = followed.url?;
    let promised = || media_type::of_name(url.path()).map(str::to_owned);
    let kind = field.media_type.clone().or_else(promised);
    let Some(media_type) = kind.filter(|kind| is_media_type(kind)) else {
        problems.push(Problem::error(
            beside.source,
            field.line,
            format!("the kind of the enclosure `{}` is unknown", field.src),
            "add `type = \"audio/mpeg\"` or what it is",
        ));
        return None;
    };
    let mut companion = |src: &Option<String>, role| {
        let src = src.as_deref()?;
        companion(src, role, field.line, beside, problems)
    };
    Some(Enclosure {
        transcript: companion(&field.transcript, Role::Transcript),
        chapters: companion(&field.chapters, Role::Chapters),
        url,
        file: file.map(|file| Path::new(&beside.site.dir).join(file)),
        bytes,
        media_type,
        duration_seconds: field.duration_seconds,
        episode: field.episode,
        season: field.season,
        is_explicit: field.is_explicit,
    })
}

/// The length of a file of ours, whatever the front matter says of it.
fn own_length(
    file: &str,
    field: &EnclosureField,
    beside: Beside<'_>,
    problems: &mut Vec<Problem>,
) -> Option<u64> {
    let bytes = match std::fs::metadata(beside.folder.join(file)) {
        Ok(data) => data.len(),
        Err(error) => {
            problems.push(Problem::error(
                beside.source,
                field.line,
                format!("the enclosure `{}` cannot be read: {error}", field.src),
                "give yourself the right to read it",
            ));
            return None;
        }
    };
    if bytes == 0 {
        problems.push(Problem::error(
            beside.source,
            field.line,
            format!("the enclosure `{}` is empty", field.src),
            "put the whole file there",
        ));
        return None;
    }
    if let Some(said) = field.bytes.filter(|said| *said != bytes) {
        problems.push(Problem::warning(
            beside.source,
            field.line,
            format!(
                "the enclosure `{}` has {bytes} bytes, not {said}",
                field.src
            ),
            "remove `length`; it is measured",
        ));
    }
    Some(bytes)
}

/// The length of a file that is not ours.
fn told_length(
    field: &EnclosureField,
    followed: &Followed,
    beside: Beside<'_>,
    problems: &mut Vec<Problem>,
) -> Option<u64> {
    let bytes = field.bytes.filter(|bytes| *bytes > 0);
    if bytes.is_none() {
        problems.push(if followed.lead == Lead::Away {
            Problem::error(
                beside.source,
                field.line,
                format!("nobody knows how long the enclosure `{}` is", field.src),
                "add `length = …` in bytes; players need it",
            )
            .at(beside.missing)
        } else {
            no_file(&field.src, field.line, beside)
        });
    }
    bytes
}

fn no_file(src: &str, line: u32, beside: Beside<'_>) -> Problem {
    Problem::error(
        beside.source,
        line,
        format!("there is no file `{src}`"),
        "put the file there, or correct the path; it is relative to this file, or with `/` to the \
         content folder",
    )
    .at(beside.missing)
}

#[derive(Clone, Copy)]
enum Role {
    Transcript,
    Chapters,
}

/// A file that goes with an enclosure.
fn companion(
    src: &str,
    role: Role,
    line: u32,
    beside: Beside<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Companion> {
    let followed = beside.site.follow(beside.origin, src);
    let file = match followed.lead {
        Lead::File(file) => Some(Path::new(&beside.site.dir).join(file)),
        Lead::Away => None,
        _ => {
            problems.push(no_file(src, line, beside));
            return None;
        }
    };
    let url = followed.url?;
    let Some(media_type) = companion_type(&url, role) else {
        let (what, remedy) = match role {
            Role::Transcript => ("transcript", "use a .vtt, .srt, .json, .html or .txt file"),
            Role::Chapters => (
                "list of chapters",
                "use a .json file of Podcasting 2.0 chapters",
            ),
        };
        problems.push(Problem::error(
            beside.source,
            line,
            format!("players cannot read the {what} `{src}`"),
            remedy,
        ));
        return None;
    };
    Some(Companion {
        url,
        file,
        media_type: media_type.to_owned(),
    })
}

/// The media types that Podcasting 2.0 names for each role.
fn companion_type(url: &Url, role: Role) -> Option<&'static str> {
    let (_, end) = url.path().rsplit_once('.')?;
    match (role, end.to_ascii_lowercase().as_str()) {
        (Role::Transcript, "vtt") => Some("text/vtt"),
        (Role::Transcript, "srt") => Some("application/x-subrip"),
        (Role::Transcript, "json") => Some("application/json"),
        (Role::Transcript, "html" | "htm") => Some("text/html"),
        (Role::Transcript, "txt") => Some("text/plain"),
        (Role::Chapters, "json") => Some("application/json+chapters"),
        _ => None,
    }
}

/// `type/subtype` of the letters that RFC 6838 4.2 allows.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_a_kind_and_a_name() {
        assert!(is_media_type("audio/mpeg") && !is_media_type("mp3") && !is_media_type("a/b c"));
    }
}
