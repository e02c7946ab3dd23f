//! Media types that the ends of file names promise (IANA media types).

use crate::domain::article::PictureType;

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
