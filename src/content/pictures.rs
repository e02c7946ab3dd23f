//! Pictures and other files that go with an article: found, measured, addressed.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use image::metadata::Orientation;
use imagesize::{Compression, ImageType};
use url::Url;

use crate::{
    content::{
        cache::Pictures,
        file::fields::HeroField,
        html::{self, Kind},
        site::{Lead, Origin, Site},
    },
    domain::{
        article::{Picture, PictureType, is_too_large},
        problem::{Level, Problem},
    },
    files::Stamp,
};

/// What a picture's file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) kind: PictureType,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: u64,
}

/// Why a file is no picture for readers.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeasureError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[from] std::io::Error),
    /// Its content is of no kind that mail clients and browsers show.
    #[error("is not a JPEG, PNG, WebP, GIF, AVIF or SVG picture")]
    Kind,
    /// Its header is of a known kind, but broken.
    #[error("is a broken picture")]
    Broken,
    /// It would take hundreds of megabytes of memory wherever it is shown.
    #[error("has {width} × {height} pixels, more than any reader can be shown")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// The pictures of one load: each is measured once, and not at all if it is the
/// same as in an earlier load.
#[derive(Debug)]
pub(super) struct Measures<'a> {
    /// The content folder on disk.
    folder: &'a Path,
    since: DateTime<Utc>,
    known: &'a Pictures,
    found: Mutex<Pictures>,
}

impl<'a> Measures<'a> {
    pub(super) fn new(folder: &'a Path, since: DateTime<Utc>, known: &'a Pictures) -> Self {
        Self {
            folder,
            since,
            known,
            found: Mutex::default(),
        }
    }

    /// What the file at this path in the content folder says of itself.
    pub(super) fn measure(&self, file: &str) -> Result<Measure, MeasureError> {
        if let Some((_, measure)) = self.found().get(file) {
            return Ok(*measure);
        }
        let path = self.folder.join(file);
        let stamp = Stamp::of(&std::fs::symlink_metadata(&path)?);
        let stamp = Some(stamp).filter(|stamp| stamp.is_settled(self.since));
        let known = self.known.get(file);
        let measure = match known.filter(|(then, _)| stamp.is_some() && *then == stamp) {
            Some((_, measure)) => *measure,
            None => measure(&path)?,
        };
        self.found().insert(file.to_owned(), (stamp, measure));
        Ok(measure)
    }

    /// Everything that was measured.
    pub(super) fn into_found(self) -> Pictures {
        self.found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self) -> MutexGuard<'_, Pictures> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads kind and size from the head of a file, whatever its name.
pub(super) fn measure(path: &Path) -> Result<Measure, MeasureError> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let mut head = Vec::with_capacity(1024);
    reader.by_ref().take(1024).read_to_end(&mut head)?;
    let Some(kind) = kind_of(&head) else {
        let (width, height) = svg_size(&head).ok_or(MeasureError::Kind)?;
        let kind = PictureType::Svg;
        return Ok(Measure {
            kind,
            width,
            height,
            bytes,
        });
    };
    reader.rewind()?;
    let size = imagesize::reader_size(&mut reader).map_err(|_| MeasureError::Broken)?;
    let pixels = |n: usize| {
        u32::try_from(n)
            .ok()
            .filter(|n| *n > 0)
            .ok_or(MeasureError::Broken)
    };
    let (mut width, mut height) = (pixels(size.width)?, pixels(size.height)?);
    reader.rewind()?;
    if kind == PictureType::Jpeg && lies_on_its_side(&mut reader)? {
        (width, height) = (height, width);
    }
    if is_too_large(width, height) {
        return Err(MeasureError::TooLarge { width, height });
    }
    Ok(Measure {
        kind,
        width,
        height,
        bytes,
    })
}

/// Whether a JPEG's camera was turned by a quarter, as Exif says (orientation 5
/// to 8): everything that shows it turns it back.
fn lies_on_its_side(reader: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut mark = [0; 4];
    reader.seek_relative(2)?;
    loop {
        match reader.read_exact(&mut mark) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        let [0xFF, kind, ..] = mark else {
            return Ok(false);
        };
        let length = u16::from_be_bytes([mark[2], mark[3]]).saturating_sub(2);
        match kind {
            // APP1, where Exif is; what comes after a scan begins is pixels.
            0xE1 => {
                let mut block = Vec::with_capacity(usize::from(length));
                reader
                    .by_ref()
                    .take(length.into())
                    .read_to_end(&mut block)?;
                if let Some(exif) = block.strip_prefix(b"Exif\0\0") {
                    let turned = Orientation::from_exif_chunk(exif);
                    return Ok(turned.is_some_and(|turned| turned.to_exif() >= 5));
                }
            }
            0xDA | 0xD9 => return Ok(false),
            _ => reader.seek_relative(length.into())?,
        }
    }
}

fn kind_of(head: &[u8]) -> Option<PictureType> {
    match imagesize::image_type(head).ok()? {
        ImageType::Jpeg => Some(PictureType::Jpeg),
        ImageType::Png => Some(PictureType::Png),
        ImageType::Webp => Some(PictureType::Webp),
        ImageType::Gif => Some(PictureType::Gif),
        ImageType::Heif(Compression::Av1) => Some(PictureType::Avif),
        _ => None,
    }
}

/// Width and height of an SVG from its root element; 0 where it says neither.
/// `None` when the text is no SVG.
fn svg_size(head: &[u8]) -> Option<(u32, u32)> {
    let text = String::from_utf8_lossy(head);
    let start = text.find("<svg")?;
    if !text
        .trim_start_matches('\u{FEFF}')
        .trim_start()
        .starts_with('<')
    {
        return None;
    }
    let attributes =
        html::pieces(&text[start..])
            .into_iter()
            .find_map(|piece| match piece.kind {
                Kind::Open(name, attributes) if name == "svg" => Some(attributes),
                _ => None,
            })?;
    let get = |name: &str| {
        attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.trim())
    };
    let number = |text: &str| {
        text.trim_end_matches("px")
            .parse::<f64>()
            .ok()
            .map(to_pixels)
    };
    let sized = get("width")
        .and_then(number)
        .zip(get("height").and_then(number));
    let boxed = || {
        let mut numbers = get("viewbox")?
            .split([' ', ','])
            .filter(|n| !n.is_empty())
            .skip(2);
        Some((number(numbers.next()?)?, number(numbers.next()?)?))
    };
    Some(sized.or_else(boxed).unwrap_or((0, 0)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits before the cast"
)]
fn to_pixels(size: f64) -> u32 {
    size.round().clamp(0.0, f64::from(u32::MAX)) as u32
}

/// What the references of one article are checked and resolved with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) site: &'a Site,
    pub(super) origin: Origin<'a>,
    /// The content folder on disk.
    pub(super) folder: &'a Path,
    pub(super) measures: &'a Measures<'a>,
    /// The article's file, for problems.
    pub(super) source: &'a Path,
    /// How much it matters that something is not there.
    pub(super) missing: Level,
}

/// The hero picture; without one that can be shown, `None` and a problem.
pub(super) fn hero(
    field: &HeroField,
    title: &str,
    beside: Beside<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Picture> {
    let mut report = |problem| problems.push(problem);
    let followed = beside.site.follow(beside.origin, &field.src);
    let (file, measure) = match &followed.lead {
        Lead::File(file) => match beside.measures.measure(file) {
            Ok(measure) => (Some(Path::new(&beside.site.dir).join(file)), measure),
            Err(error) => {
                report(no_picture(beside.source, field.line, &field.src, &error));
                return None;
            }
        },
        Lead::Away => {
            report(Problem::warning(
                beside.source,
                field.line,
                format!(
                    "the picture `{}` is on another site and was not measured",
                    field.src
                ),
                "put the file beside the article, so that every reader can see it",
            ));
            let kind = kind_by_name(followed.url.as_ref()?);
            (
                None,
                Measure {
                    kind,
                    width: 0,
                    height: 0,
                    bytes: 0,
                },
            )
        }
        _ => {
            report(missing(beside, field.line, &field.src));
            return None;
        }
    };
    if field.alt.is_none() {
        report(Problem::warning(
            beside.source,
            field.line,
            format!("the picture `{}` has no alternative text", field.src),
            "add `alt = \"…\"`: what it shows, for those who cannot see it",
        ));
    }
    Some(Picture {
        url: followed.url?,
        file,
        // Better than silence for those who cannot see it.
        alt: field.alt.clone().unwrap_or_else(|| title.to_owned()),
        caption: field.caption.clone(),
        credit: field.credit.clone(),
        width: measure.width,
        height: measure.height,
        bytes: measure.bytes,
        kind: measure.kind,
    })
}

/// A file that is referred to as a picture and is none.
pub(super) fn no_picture(source: &Path, line: u32, src: &str, error: &MeasureError) -> Problem {
    Problem::error(
        source,
        line,
        format!("`{src}` {error}"),
        match error {
            MeasureError::TooLarge { .. } => {
                "make it smaller: 2,400 pixels wide is plenty, 50 megapixels are the limit"
            }
            _ => "save it again as JPEG, PNG, WebP or GIF, or name another file",
        },
    )
}

/// A picture that is not there.
pub(super) fn missing(beside: Beside<'_>, line: u32, src: &str) -> Problem {
    Problem::error(
        beside.source,
        line,
        format!("there is no picture `{src}`"),
        "put the file there, or correct the path; it is relative to this file, or with `/` to the content folder",
    )
    .at(beside.missing)
}

/// The kind a remote picture's name promises.
fn kind_by_name(url: &Url) -> PictureType {
    let path = url.path().to_ascii_lowercase();
    [
        (".png", PictureType::Png),
        (".webp", PictureType::Webp),
        (".gif", PictureType::Gif),
        (".avif", PictureType::Avif),
        (".svg", PictureType::Svg),
    ]
    .into_iter()
    .find_map(|(end, kind)| path.ends_with(end).then_some(kind))
    .unwrap_or(PictureType::Jpeg)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The head of a PNG of 3 by 2 pixels.
    pub(in crate::content) const PNG: &[u8] =
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0";

    fn measured(content: &[u8]) -> Result<Measure, MeasureError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("picture.jpg");
        std::fs::write(&path, content).unwrap();
        measure(&path)
    }

    #[test]
    fn kind_and_size_come_from_the_content_not_the_name() {
        let png = measured(PNG).unwrap();
        assert_eq!((png.kind, png.width, png.height), (PictureType::Png, 3, 2));
        assert_eq!(png.bytes, PNG.len() as u64);
        for (svg, size) in [
            (
                "<?xml version=\"1.0\"?>\n<svg width=\"40px\" height='30'>",
                (40, 30),
            ),
            ("<svg viewBox=\"0 0 12.6,8\" xmlns=\"x\">", (13, 8)),
            ("<svg width='100%' height='100%'>", (0, 0)),
        ] {
            let measure = measured(svg.as_bytes()).unwrap();
            assert_eq!(
                (measure.kind, (measure.width, measure.height)),
                (PictureType::Svg, size)
            );
        }
    }

    #[test]
    fn a_picture_from_a_turned_camera_is_measured_as_it_is_shown() {
        // Start, Exif with one entry (orientation), a frame of 3 by 2 pixels.
        let turned = |orientation: u8| {
            let mut jpeg = b"\xff\xd8\xff\xe0\0\x04xx\xff\xe1\0\x22Exif\0\0".to_vec();
            jpeg.extend_from_slice(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
            jpeg.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
            jpeg.extend_from_slice(b"\xff\xc0\0\x0b\x08\0\x02\0\x03\x01\x01\x11\0\xff\xd9");
            let measure = measured(&jpeg).unwrap();
            (measure.width, measure.height)
        };
        assert_eq!(turned(1), (3, 2));
        assert_eq!(turned(3), (3, 2));
        assert_eq!(turned(6), (2, 3));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for content in [
            &b""[..],
            b"<html><body>",
            b"text about <svg>",
            b"BM\x10\0\0\0",
            b"\0\0\0\0",
        ] {
            assert!(
                matches!(measured(content), Err(MeasureError::Kind)),
                "{content:?}"
            );
        }
        assert!(matches!(
            measured(&PNG[..10]),
            Err(MeasureError::Broken | MeasureError::Kind)
        ));
        assert!(matches!(
            measured(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\0"),
            Err(MeasureError::Broken)
        ));
    }

    #[test]
    fn a_picture_that_is_too_large_is_refused_by_its_head() {
        let mut large = PNG.to_vec();
        large[16..20].copy_from_slice(&10_000_u32.to_be_bytes());
        large[20..24].copy_from_slice(&5_000_u32.to_be_bytes());
        assert_eq!(measured(&large).unwrap().width, 10_000);
        large[20..24].copy_from_slice(&5_001_u32.to_be_bytes());
        let error = measured(&large).unwrap_err();
        assert_eq!(
            error.to_string(),
            "has 10000 × 5001 pixels, more than any reader can be shown"
        );
    }

    #[test]
    fn the_name_of_a_far_picture_promises_its_kind() {
        let url = |text: &str| Url::parse(text).unwrap();
        assert_eq!(
            kind_by_name(&url("https://example.org/a.webp")),
            PictureType::Webp
        );
    }
}
