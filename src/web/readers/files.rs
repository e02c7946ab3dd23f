//! What was published, as it lies in the output folder: feeds, pages, letters,
//! pictures. Nothing outside of the folder is ever opened, no symbolic link is
//! followed, and no name that begins with a dot is there.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags},
};

use super::negotiation::{self, Span};
use crate::{
    config::settings::Compression,
    domain::{media_type, publication::plain_file},
};

/// Feeds change on every build; who asks more often than this gets the old one.
const CACHE: &str = "public, max-age=300";
/// What a page of the publication may load: what lies beside it, and pictures
/// and sounds from anywhere, as articles name them.
const POLICY: &str = "default-src 'self'; img-src * data:; media-src *; font-src 'self' data:; \
                      style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; \
                      frame-ancestors 'self'";
/// Shown where nothing stands.
const NOT_FOUND: &str = "404.html";
/// A file is read and sent in pieces of this size.
const PIECE: usize = 64 * 1024;

/// A file that was found, open.
struct Found {
    file: File,
    size: u64,
    modified: DateTime<Utc>,
    /// As which of its compressed copies.
    coding: Option<Compression>,
    media_type: Cow<'static, str>,
    tag: String,
}

/// What stands at a path.
enum Place {
    File(Box<Found>),
    /// A folder, asked for without its slash.
    Folder,
    Nothing,
}

/// What is asked for, and how.
pub(super) struct Wanted<'r> {
    pub(super) method: &'r Method,
    /// Below the output folder, with `%` escapes, beginning with `/`.
    pub(super) path: &'r str,
    pub(super) headers: &'r HeaderMap,
}

/// The file at a path of the website, or what to say instead.
pub(super) async fn answer(folder: &Path, wanted: &Wanted<'_>) -> Response {
    let accepted = negotiation::codings(wanted.headers);
    let placed = match below(wanted.path) {
        Some(file) => look(folder, &file, &accepted).await,
        None => Ok(Place::Nothing),
    };
    match placed {
        Ok(Place::File(found)) => give(*found, wanted, StatusCode::OK),
        Ok(Place::Folder) => moved(wanted.path),
        Ok(Place::Nothing) => not_found(folder, wanted, &accepted).await,
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot be read\n"),
    }
}

/// The path of a file below the folder; `None` for what can be none of ours.
fn below(path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .ok()?;
    let file = plain_file(&path)?;
    let is_hidden = file
        .split('/')
        .any(|part| part.starts_with('.') || part.is_empty());
    (!is_hidden).then_some(file)
}

async fn look(folder: &Path, file: &str, accepted: &[Compression]) -> io::Result<Place> {
    let (folder, file, accepted) = (folder.to_owned(), file.to_owned(), accepted.to_vec());
    let looked = tokio::task::spawn_blocking(move || find(&folder, &file, &accepted));
    looked.await.map_err(io::Error::other)?
}

/// Opens the best form of a file.
fn find(folder: &Path, file: &str, accepted: &[Compression]) -> io::Result<Place> {
    let (parents, name) = file.rsplit_once('/').unwrap_or(("", file));
    let Some(parent) = walk(folder, parents)? else {
        return Ok(Place::Nothing);
    };
    let Some(original) = open(&parent, name)? else {
        return Ok(Place::Nothing);
    };
    let facts = original.metadata()?;
    if facts.is_dir() {
        return Ok(Place::Folder);
    }
    if !facts.is_file() {
        return Ok(Place::Nothing);
    }
    let media_type = media_type::served_as(file);
    for coding in accepted {
        let copy = open(&parent, &format!("{name}.{}", coding.extension()))?;
        let Some(copy) = copy.filter(|copy| copy.metadata().is_ok_and(|facts| facts.is_file()))
        else {
            continue;
        };
        return Ok(Place::File(Box::new(found(
            copy,
            Some(*coding),
            media_type,
        )?)));
    }
    Ok(Place::File(Box::new(found(original, None, media_type)?)))
}

fn found(
    file: File,
    coding: Option<Compression>,
    media_type: Cow<'static, str>,
) -> io::Result<Found> {
    let facts = file.metadata()?;
    let modified: DateTime<Utc> = facts.modified()?.into();
    // A build replaces a file by another when its bytes differ, and only then.
    let nanoseconds = modified.timestamp_nanos_opt().unwrap_or_default();
    let form = coding.map_or("", Compression::extension);
    Ok(Found {
        size: facts.len(),
        modified,
        coding,
        media_type,
        tag: format!("\"{nanoseconds:x}-{:x}{form}\"", facts.len()),
        file,
    })
}

/// The folder at a path below another, one step at a time and through no
/// symbolic link. The outermost may be one: the publisher put it there.
fn walk(folder: &Path, path: &str) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut at = match rustix::fs::open(folder, flags, Mode::empty()) {
        Ok(at) => at,
        Err(error) => return absent(error),
    };
    for step in path.split('/').filter(|step| !step.is_empty()) {
        at = match rustix::fs::openat(&at, step, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(at) => at,
            Err(error) => return absent(error),
        };
    }
    Ok(Some(at))
}

fn open(folder: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    // Without NONBLOCK a pipe would be waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(error) => absent(error),
    }
}

/// Nothing is there that may be shown; or it cannot be read.
fn absent<T>(error: rustix::io::Errno) -> io::Result<Option<T>> {
    use rustix::io::Errno;
    match error {
        Errno::NOENT
        | Errno::NOTDIR
        | Errno::LOOP
        | Errno::ACCESS
        | Errno::NAMETOOLONG
        | Errno::INVAL
        | Errno::NXIO => Ok(None),
        other => Err(other.into()),
    }
}

fn give(found: Found, wanted: &Wanted<'_>, status: StatusCode) -> Response {
    let is_whole = status == StatusCode::OK;
    let validators = negotiation::Validators {
        tag: &found.tag,
        modified: found.modified,
    };
    if is_whole && negotiation::is_known(wanted.headers, &validators) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        describe(&mut response, &found);
        return response;
    }
    let span = match is_whole {
        true => negotiation::span(wanted.headers, &validators, found.size),
        false => Span::Whole,
    };
    let (status, first, length) = match span {
        Span::Whole => (status, 0, found.size),
        Span::Part { first, length } => (StatusCode::PARTIAL_CONTENT, first, length),
        Span::Beyond => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "no such part\n");
            let size = format!("bytes */{}", found.size);
            set(&mut response, header::CONTENT_RANGE, &size);
            return response;
        }
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    describe(&mut response, &found);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    set(&mut response, header::CONTENT_TYPE, &found.media_type);
    if let Span::Part { first, length } = span {
        let part = format!("bytes {first}-{}/{}", first + length - 1, found.size);
        set(&mut response, header::CONTENT_RANGE, &part);
    }
    if *wanted.method != Method::HEAD {
        *response.body_mut() = stream(found.file, first, length);
    }
    response
}

/// What is said of a file with and without its bytes.
fn describe(response: &mut Response, found: &Found) {
    set(response, header::ETAG, &found.tag);
    set(
        response,
        header::LAST_MODIFIED,
        &negotiation::http_date(found.modified),
    );
    set(response, header::CACHE_CONTROL, CACHE);
    set(response, header::VARY, "accept-encoding");
    set(response, header::ACCEPT_RANGES, "bytes");
    if let Some(coding) = found.coding {
        set(
            response,
            header::CONTENT_ENCODING,
            negotiation::name(coding),
        );
    }
    if found.media_type.starts_with("text/html") {
        set(response, header::CONTENT_SECURITY_POLICY, POLICY);
    }
    // Readers on other sites, and programs in browsers, may read what is public.
    set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    // Ours are all plain; what cannot stand in a header is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The bytes of a part of a file, read piece by piece where reading may wait.
fn stream(file: File, first: u64, length: u64) -> Body {
    let pieces = futures_util::stream::unfold(Some((file, first, length)), |at| async {
        let (mut file, first, left) = at.filter(|(_, _, left)| *left > 0)?;
        let read = tokio::task::spawn_blocking(move || {
            let want = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; want];
            file.seek(SeekFrom::Start(first))?;
            file.read_exact(&mut piece)?;
            Ok::<_, io::Error>((file, Bytes::from(piece)))
        });
        match read.await.map_err(io::Error::other).flatten() {
            Ok((file, piece)) => {
                let read = piece.len() as u64;
                Some((Ok(piece), Some((file, first + read, left - read))))
            }
            // The answer is cut off, which its length shows.
            Err(error) => Some((Err(error), None)),
        }
    });
    Body::from_stream(pieces)
}

/// To the same path with a slash; never to another server.
fn moved(path: &str) -> Response {
    let mut response = plain(StatusCode::MOVED_PERMANENTLY, "see elsewhere\n");
    let path = format!("/{}/", path.trim_matches('/'));
    set(&mut response, header::LOCATION, &path);
    response
}

async fn not_found(folder: &Path, wanted: &Wanted<'_>, accepted: &[Compression]) -> Response {
    match look(folder, NOT_FOUND, accepted).await {
        Ok(Place::File(page)) => {
            let mut response = give(*page, wanted, StatusCode::NOT_FOUND);
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.remove(header::ETAG);
            headers.remove(header::LAST_MODIFIED);
            headers.remove(header::ACCEPT_RANGES);
            response
        }
        _ => plain(StatusCode::NOT_FOUND, "nothing stands at this address\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    set(
        &mut response,
        header::CONTENT_TYPE,
        "text/plain; charset=utf-8",
    );
    response
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_names_a_file_below_the_folder_or_nothing() {
        for (path, file) in [
            ("/", Some("index.html")),
            ("/food/", Some("food/index.html")),
            ("/caf%C3%A9/rss.xml", Some("café/rss.xml")),
            ("/../letterpress.toml", None),
            ("/food/%2e%2e/%2e%2e/letterpress.db", None),
            ("/food%2f..%2f..%2fx", None),
            ("/.letterpress/x", None),
            ("/food/.htaccess", None),
            ("//example.org/", None),
            ("/a//b", None),
            ("/a\\..\\b", None),
            ("/a%00b", None),
            ("/%ff", None),
            ("relative", None),
        ] {
            assert_eq!(below(path).as_deref(), file, "{path}");
        }
    }

    #[test]
    fn no_link_is_followed_and_no_pipe_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("public");
        std::fs::create_dir_all(public.join("food")).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::fs::write(public.join("food/index.html"), "<p>").unwrap();
        symlink("../secret", public.join("secret")).unwrap();
        symlink("food", public.join("drink")).unwrap();
        symlink("index.html", public.join("food/other.html")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            public.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        let place = |file: &str| find(&public, file, &[]).unwrap();
        assert!(matches!(place("food/index.html"), Place::File(_)));
        assert!(matches!(place("food"), Place::Folder));
        for nothing in [
            "secret",
            "drink/index.html",
            "food/other.html",
            "pipe",
            "absent",
        ] {
            assert!(matches!(place(nothing), Place::Nothing), "{nothing}");
        }
        // The folder itself may be a link.
        symlink(&public, folder.path().join("site")).unwrap();
        let found = find(&folder.path().join("site"), "food/index.html", &[]).unwrap();
        assert!(matches!(found, Place::File(_)));
    }
}
