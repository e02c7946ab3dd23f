//! A copy of some size, as JPEG or PNG.

use image::{
    DynamicImage, ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder},
    imageops::FilterType,
};
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::{
    Decoded, Format, ScaleError,
    read::{premultiplied, unmultiplied},
};

/// Good for photographs at the size they are shown.
const JPEG_QUALITY: u8 = 82;
/// From this many times the size on, pixels are averaged first, which is much
/// quicker and takes nothing away that could be seen.
const AVERAGED_FROM: u32 = 4;

impl Decoded {
    /// The bytes of a copy with so many pixels.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn copy(&self, width: u32, height: u32, format: Format) -> Result<Vec<u8>, ScaleError> {
        let scaled = scaled(&self.pixels, width.max(1), height.max(1));
        match format {
            Format::Jpeg => jpeg(&scaled, self.profile.as_deref()),
            Format::Png | Format::Gif => png(&scaled, self.profile.as_deref()),
        }
    }
}

fn scaled(pixels: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    match pixels {
        DynamicImage::ImageRgba8(pixels) => {
            let pixels = DynamicImage::ImageRgba8(premultiplied(pixels.clone()));
            let scaled = resized(&pixels, width, height).into_rgba8();
            DynamicImage::ImageRgba8(unmultiplied(scaled))
        }
        pixels => resized(pixels, width, height),
    }
}

fn resized(pixels: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let (from_width, from_height) = (pixels.width(), pixels.height());
    if (from_width, from_height) == (width, height) {
        return pixels.clone();
    }
    let halfway = |size: u32| size.saturating_mul(AVERAGED_FROM / 2);
    let is_far = |from: u32, to: u32| from / to >= AVERAGED_FROM;
    if is_far(from_width, width) && is_far(from_height, height) {
        return pixels
            .thumbnail_exact(halfway(width), halfway(height))
            .resize_exact(width, height, FilterType::Lanczos3);
    }
    pixels.resize_exact(width, height, FilterType::Lanczos3)
}

fn jpeg(pixels: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, ScaleError> {
    let failed = |error: jpeg_encoder::EncodingError| ScaleError::Write(Box::new(error));
    let side = |size: u32| u16::try_from(size).map_err(|error| ScaleError::Write(Box::new(error)));
    let opaque;
    let (bytes, kind) = match pixels {
        DynamicImage::ImageLuma8(pixels) => (pixels.as_raw(), ColorType::Luma),
        DynamicImage::ImageRgb8(pixels) => (pixels.as_raw(), ColorType::Rgb),
        other => {
            opaque = other.to_rgb8();
            (opaque.as_raw(), ColorType::Rgb)
        }
    };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, JPEG_QUALITY);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    if let (Some(profile), ColorType::Rgb) = (profile, kind) {
        encoder.add_icc_profile(profile).map_err(failed)?;
    }
    encoder
        .encode(bytes, side(pixels.width())?, side(pixels.height())?, kind)
        .map_err(failed)?;
    Ok(out)
}

fn png(pixels: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, ScaleError> {
    let kind = match pixels {
        DynamicImage::ImageLuma8(_) => ExtendedColorType::L8,
        DynamicImage::ImageRgb8(_) => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    };
    let mut out = Vec::new();
    let mut encoder =
        PngEncoder::new_with_quality(&mut out, CompressionType::Best, PngFilter::Adaptive);
    if let Some(profile) = profile.filter(|_| kind != ExtendedColorType::L8) {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    encoder
        .write_image(pixels.as_bytes(), pixels.width(), pixels.height(), kind)
        .map_err(|error| ScaleError::Write(Box::new(error)))?;
    Ok(out)
}
