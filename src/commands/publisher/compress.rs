//! Compressed copies of text files. Equal bytes give equal copies: no time and
//! no name stands in them.

use std::io::{self, Write};

use flate2::{Compression as Level, GzBuilder};

use crate::config::settings::Compression;

/// Below this a copy saves nothing: what travels is one packet either way.
const WORTH_IT: usize = 1024;

/// Endings of files that compress well.
const TEXT: [&str; 9] = [
    "html",
    "xml",
    "json",
    "txt",
    "css",
    "opml",
    "svg",
    "js",
    "webmanifest",
];

/// `gzip -6`: higher levels take twice the time for one part in a hundred.
const GZIP_LEVEL: u32 = 6;
/// The best of brotli (11) takes a second for a large feed.
const BROTLI_LEVEL: i32 = 9;
/// Brotli's usual window, 2^22 bytes.
const BROTLI_WINDOW: i32 = 22;
/// Above this, levels of zstd gain little on files of this size.
const ZSTANDARD_LEVEL: i32 = 12;

/// Whether a file gets compressed copies.
pub(super) fn is_worth_it(path: &str, bytes: &[u8]) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    bytes.len() > WORTH_IT && TEXT.contains(&ending)
}

/// The name of a file's copy.
pub(super) fn copy_of(path: &str, compression: Compression) -> String {
    format!("{path}.{}", compression.extension())
}

/// The file a name is a copy of, if it is the name of one.
pub(super) fn original(path: &str) -> Option<&str> {
    Compression::ALL
        .into_iter()
        .find_map(|one| path.strip_suffix(one.extension())?.strip_suffix('.'))
}

/// The compressed bytes.
///
/// # Errors
/// When memory runs out: writing to memory fails for no other reason.
pub(super) fn compress(bytes: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::Gzip => {
            // 255 stands for an unknown system (RFC 1952 2.3.1).
            let builder = GzBuilder::new().mtime(0).operating_system(255);
            let mut writer = builder.write(Vec::new(), Level::new(GZIP_LEVEL));
            writer.write_all(bytes)?;
            writer.finish()
        }
        Compression::Brotli => {
            let parameters = brotli::enc::BrotliEncoderParams {
                quality: BROTLI_LEVEL,
                lgwin: BROTLI_WINDOW,
                size_hint: bytes.len(),
                ..Default::default()
            };
            let mut output = Vec::new();
            brotli::BrotliCompress(&mut &bytes[..], &mut output, &parameters)?;
            Ok(output)
        }
        Compression::Zstandard => zstd::bulk::compress(bytes, ZSTANDARD_LEVEL),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn restored(copy: &[u8], compression: Compression) -> Vec<u8> {
        let mut bytes = Vec::new();
        match compression {
            Compression::Gzip => {
                flate2::read::GzDecoder::new(copy)
                    .read_to_end(&mut bytes)
                    .unwrap();
            }
            Compression::Brotli => {
                brotli::Decompressor::new(copy, 4096)
                    .read_to_end(&mut bytes)
                    .unwrap();
            }
            Compression::Zstandard => bytes = zstd::stream::decode_all(copy).unwrap(),
        }
        bytes
    }

    #[test]
    fn every_copy_is_smaller_the_same_each_time_and_gives_the_original_back() {
        let text = "<p>Bread on coals, and ash on bread.</p>\n".repeat(200);
        for one in Compression::ALL {
            let copy = compress(text.as_bytes(), one).unwrap();
            assert!(copy.len() < text.len() / 4, "{one:?}: {}", copy.len());
            assert_eq!(copy, compress(text.as_bytes(), one).unwrap());
            assert_eq!(restored(&copy, one), text.as_bytes());
        }
        let gzip = compress(text.as_bytes(), Compression::Gzip).unwrap();
        assert_eq!(gzip[..10], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn only_text_of_some_length_is_compressed() {
        let long = [b'x'; 1025];
        assert!(is_worth_it("tags/soup/feed.json", &long));
        assert!(!is_worth_it("tags/soup/feed.json", &long[1..]));
        for name in ["soup.jpg", "noending", "page.html.gz"] {
            assert!(!is_worth_it(name, &long), "{name}");
        }
        assert_eq!(original("a/rss.xml.gz"), Some("a/rss.xml"));
        assert_eq!(original("a/rss.xml"), None);
    }
}
