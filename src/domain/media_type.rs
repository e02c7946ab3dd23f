//! Media types that the ends of file names promise (IANA media types).

use std::borrow::Cow;

use crate::domain::article::PictureType;

/// The media type to serve a published file as, by its path below the output
/// folder. All of our own text is UTF-8, and so is what is taken for text.
#[must_use]
pub fn served_as(path: &str) -> Cow<'static, str> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let numbered = |stem: &str| {
        let rest = name
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_suffix(".xml"));
        rest.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
    };
    let feed = match name {
        "rss.xml" | "podcast.xml" => Some("application/rss+xml"),
        _ if numbered("rss-") => Some("application/rss+xml"),
        "atom.xml" => Some("application/atom+xml"),
        _ if numbered("atom-") => Some("application/atom+xml"),
        "feed.json" => Some("application/feed+json"),
        "feeds.opml" => Some("text/x-opml"),
        _ => None,
    };
    match feed {
        Some(feed) => format!("{feed}; charset=utf-8").into(),
        None => of_file(path),
    }
}

/// The media type to serve a file that is no feed as, by its path.
#[must_use]
pub fn of_file(path: &str) -> Cow<'static, str> {
    // Old addresses may have the names of programs; what stands there is a page.
    let is_page = [".php", ".xhtml"].iter().any(|end| path.ends_with(end));
    let known = match is_page {
        true => Some("text/html"),
        false => of_name(path),
    };
    let is_text = |kind: &str| kind.starts_with("text/") || kind.ends_with("xml");
    match known {
        Some(text) if is_text(text) => format!("{text}; charset=utf-8").into(),
        Some(other) => other.into(),
        None => "application/octet-stream".into(),
    }
}

/// The media type of a file by its name, in any case; `None` where the name
/// promises none that we know.
#[must_use]
pub fn of_name(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    Some(match end.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "txt" => "text/plain",
        "vtt" => "text/vtt",
        "xml" => "application/xml",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "epub" => "application/epub+zip",
        "zip" => "application/zip",
        "srt" => "application/x-subrip",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "jpg" | "jpeg" => PictureType::Jpeg.media_type(),
        "png" => PictureType::Png.media_type(),
        "webp" => PictureType::Webp.media_type(),
        "gif" => PictureType::Gif.media_type(),
        "avif" => PictureType::Avif.media_type(),
        "svg" => PictureType::Svg.media_type(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_served_as_feeds_and_text_as_utf_8() {
        for (path, media_type) in [
            ("rss.xml", "application/rss+xml; charset=utf-8"),
            (
                "sections/food/archive/rss-0012.xml",
                "application/rss+xml; charset=utf-8",
            ),
            ("tags/a/atom.xml", "application/atom+xml; charset=utf-8"),
            ("feed.json", "application/feed+json; charset=utf-8"),
            ("feeds.opml", "text/x-opml; charset=utf-8"),
            ("sitemap.xml", "application/xml; charset=utf-8"),
            ("a/index.html", "text/html; charset=utf-8"),
            ("old.php", "text/html; charset=utf-8"),
            ("shade.PNG", "image/png"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
            ("one", "application/octet-stream"),
        ] {
            assert_eq!(served_as(path), media_type, "{path}");
        }
    }

    #[test]
    fn files_are_served_as_what_their_names_promise() {
        for (path, media_type) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("old.php", "text/html; charset=utf-8"),
            ("talks/One.FLAC", "audio/flac"),
            ("book.epub", "application/epub+zip"),
            ("one.vtt", "text/vtt; charset=utf-8"),
            ("one", "application/octet-stream"),
        ] {
            assert_eq!(of_file(path), media_type, "{path}");
        }
    }

    #[test]
    fn names_promise_media_types() {
        for (name, media_type) in [
            ("talks/a.MP3", Some("audio/mpeg")),
            ("a.b.flac", Some("audio/flac")),
            ("a.jpeg", Some("image/jpeg")),
            ("a.md", None),
            ("mp3", None),
            ("", None),
        ] {
            assert_eq!(of_name(name), media_type, "{name}");
        }
    }
}
