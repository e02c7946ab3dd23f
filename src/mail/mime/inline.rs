//! A picture as a part of the message.

use data_encoding::BASE64;

use super::Inline;

/// Bytes of a line before encoding: 76 characters after it (RFC 2045 6.8).
const LINE: usize = 57;

/// The part, from its first header to the line end after its last line.
pub(super) fn part(picture: &Inline) -> String {
    let Inline {
        content_id,
        name,
        media_type,
        bytes,
    } = picture;
    let mut part = format!(
        "Content-Type: {media_type};\r\n name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-ID: <{content_id}>\r\nContent-Disposition: inline;\r\n filename=\"{name}\"\r\n\r\n"
    );
    part.reserve(bytes.len() * 78 / LINE + 80);
    for line in bytes.chunks(LINE) {
        BASE64.encode_append(line, &mut part);
        part.push_str("\r\n");
    }
    part
}
