//! An original's head and pixels, within limits of memory.

use std::{
    collections::HashSet,
    io::Cursor,
    sync::{Mutex, MutexGuard, PoisonError},
};

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage,
    codecs::{png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};

use super::{Format, ScaleError, check_size, gif, jpeg};

/// Most bytes that a decoder may ask for.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;
/// A picture of more pixels than this has its turn alone.
const LARGE: u64 = 12_000_000;
static TURN: Mutex<()> = Mutex::new(());
/// A picture of no more colours than this is a drawing.
const COLOURS_OF_A_DRAWING: usize = 256;

/// What the first bytes of an original say.
pub(super) struct Head {
    kind: ImageFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) is_animated: bool,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ScaleError> {
        let (kind, mut decoder) = decoder(bytes)?;
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let (width, height) = upright((width, height), orientation);
        Ok(Self {
            kind,
            width,
            height,
            is_animated: is_animated(kind, bytes),
        })
    }

    /// What copies are written as, where that can be told without pixels: a
    /// camera's JPEG stays one.
    pub(super) fn format(&self) -> Option<Format> {
        (self.kind == ImageFormat::Jpeg).then_some(Format::Jpeg)
    }

    pub(super) fn is_gif(&self) -> bool {
        self.kind == ImageFormat::Gif
    }
}

/// Width and height as they are when the picture stands upright.
#[must_use]
pub fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (width, height),
    }
}

fn decoder(bytes: &[u8]) -> Result<(ImageFormat, impl ImageDecoder + '_), ScaleError> {
    let kind = image::guess_format(bytes).map_err(|_| ScaleError::Kind)?;
    if !matches!(
        kind,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif
    ) {
        return Err(ScaleError::Kind);
    }
    // The decoder fills what is missing with grey.
    if kind == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        return Err(ScaleError::CutShort);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(ScaleError::Broken)?;
    Ok((kind, decoder))
}

fn is_animated(kind: ImageFormat, bytes: &[u8]) -> bool {
    match kind {
        ImageFormat::Gif => gif::frames(bytes) > 1,
        ImageFormat::WebP => {
            WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|decoder| decoder.has_animation())
        }
        ImageFormat::Png => PngDecoder::new(Cursor::new(bytes))
            .is_ok_and(|decoder| decoder.is_apng().unwrap_or(false)),
        _ => false,
    }
}

/// The pixels of a picture, upright: of an animation its first frame.
#[derive(Debug)]
pub struct Decoded {
    pub(super) pixels: DynamicImage,
    /// The colours that its numbers mean, where they are not the usual ones.
    pub(super) profile: Option<Vec<u8>>,
    is_from_jpeg: bool,
    _turn: Option<MutexGuard<'static, ()>>,
}

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, ScaleError> {
    let (kind, mut decoder) = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let is_large = u64::from(width) * u64::from(height) > LARGE;
    let turn = is_large.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().filter(is_worth_it);
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(ScaleError::Broken)?;
    pixels.apply_orientation(orientation);
    Ok(Decoded {
        pixels: eight_bits(pixels),
        profile,
        is_from_jpeg: kind == ImageFormat::Jpeg,
        _turn: turn,
    })
}

/// A profile of red, green and blue that differs from what everybody assumes
/// (ICC.1 7.2: the colour space stands at byte 16).
#[expect(clippy::ptr_arg, reason = "the signature that `Option::filter` wants")]
fn is_worth_it(profile: &Vec<u8>) -> bool {
    let says_srgb = |text: &[u8]| profile.windows(text.len()).any(|window| window == text);
    profile.get(16..20) == Some(b"RGB ")
        && profile.len() <= 8 * 1024
        && !says_srgb(b"sRGB")
        && !says_srgb(b"s\0R\0G\0B")
}

/// Grey, red-green-blue, or that with transparency, in bytes; transparency only
/// where a pixel has any.
fn eight_bits(pixels: DynamicImage) -> DynamicImage {
    if pixels.color().has_color() || pixels.has_alpha() {
        if !pixels.has_alpha() {
            return DynamicImage::ImageRgb8(pixels.into_rgb8());
        }
        let pixels = pixels.into_rgba8();
        if pixels.as_raw().chunks_exact(4).all(|pixel| pixel[3] == 255) {
            return DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(pixels).into_rgb8());
        }
        return DynamicImage::ImageRgba8(pixels);
    }
    DynamicImage::ImageLuma8(pixels.into_luma8())
}

impl Decoded {
    /// What copies of this are written as.
    pub(super) fn format(&self) -> Format {
        if self.is_from_jpeg {
            return Format::Jpeg;
        }
        match &self.pixels {
            DynamicImage::ImageRgba8(_) => Format::Png,
            pixels if is_drawing(pixels) => Format::Png,
            _ => Format::Jpeg,
        }
    }
}

/// Few colours, or areas of one colour for the most part.
fn is_drawing(pixels: &DynamicImage) -> bool {
    let size = usize::from(pixels.color().bytes_per_pixel());
    let width = usize::try_from(pixels.width()).unwrap_or(usize::MAX);
    let bytes = pixels.as_bytes();
    let mut colours = HashSet::new();
    let (mut same, mut all) = (0_u64, 0_u64);
    for line in bytes.chunks_exact(width * size) {
        let mut before: Option<&[u8]> = None;
        for pixel in line.chunks_exact(size) {
            let is_same = before == Some(pixel);
            same += u64::from(is_same);
            all += 1;
            if !is_same && colours.len() <= COLOURS_OF_A_DRAWING {
                colours.insert(pixel);
            }
            before = Some(pixel);
        }
    }
    colours.len() <= COLOURS_OF_A_DRAWING || same * 3 > all * 2
}

/// Colours weighted by how opaque they are, so that what cannot be seen does
/// not bleed into what can.
pub(super) fn premultiplied(mut pixels: RgbaImage) -> RgbaImage {
    for pixel in pixels.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        for colour in &mut pixel[..3] {
            *colour = byte((u16::from(*colour) * alpha + 127) / 255);
        }
    }
    pixels
}

/// The colours as they were, after [`premultiplied`].
pub(super) fn unmultiplied(mut pixels: RgbaImage) -> RgbaImage {
    for pixel in pixels.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        for colour in &mut pixel[..3] {
            *colour = (u16::from(*colour) * 255 + alpha / 2)
                .checked_div(alpha)
                .map_or(0, byte);
        }
    }
    pixels
}

fn byte(value: u16) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

impl From<ImageError> for ScaleError {
    fn from(error: ImageError) -> Self {
        Self::Broken(error)
    }
}
